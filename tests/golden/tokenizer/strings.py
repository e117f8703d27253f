"""The strings of the tokenizer's golden test, as bytes: prose, code, every script, and what breaks tokenizers.

Only characters whose class (letter, mark, number, …) has been the same since Unicode 3.2, or that stand in the samples
below (some of them of Unicode 15 and 16, later than PCRE2 10.42 knows).
"""
import random
import unicodedata

PROSE = """All human beings are born free and equal in dignity and rights. They're endowed with reason, aren't they?
Tous les êtres humains naissent libres et égaux en dignité et en droits. L'été, où naît-on ? Ça va !
Alle Menschen sind frei und gleich an Würde und Rechten geboren. Straße, Übermut, Äpfel, größer.
Todos los seres humanos nacen libres e iguales. ¿Dónde está el niño? ¡Aquí, mañana!
Wszyscy ludzie rodzą się wolni i równi. Zażółć gęślą jaźń.
Všichni lidé rodí se svobodní. Příliš žluťoučký kůň úpěl ďábelské ódy.
Bütün insanlar hür doğar. İstanbul'da ılık şişli çay içtim.
Tất cả mọi người sinh ra đều được tự do và bình đẳng.
Alle mennesker er født frie. Blåbærsyltetøy på brød, øl og ærlighet øø.
Kaikki ihmiset syntyvät vapaina. Hyvää päivää!
Все люди рождаются свободными и равными. Съешь же ещё этих мягких булок. Їжак, ґрунт.
Όλοι οι άνθρωποι γεννιούνται ελεύθεροι. Ἐν ἀρχῇ ἦν ὁ λόγος, ὦ ἄνδρες ᾿Αθηναῖοι.
Բոլոր մարդիկ ծնվում են ազատ ու հավասար։
ყველა ადამიანი იბადება თავისუფალი. ႠႡႢ ⴀⴁ
כל בני האדם נולדו בני חורין. שָׁלוֹם עֲלֵיכֶם
يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق. السَّلامُ عَلَيْكُمْ ١٢٣٤٥
تمام انسان‌ها آزاد به دنیا می‌آیند. ۱۲۳۴۵۶
सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता है। क्षत्रिय, ज्ञान, १२३४
সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা নিয়ে জন্মগ্রহণ করে। ১২৩
மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்.
ప్రతిపత్తిస్వత్వముల విషయమున మానవులెల్లరును జన్మతః స్వతంత్రులు.
มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกัน ๑๒๓๔๕
ມະນຸດເກີດມາມີສິດເສລີພາບ ကမ្ពុជា မြန်မာ ខ្មែរ
འགྲོ་བ་མིའི་རིགས་རྒྱུད། ༡༢༣
人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。《红楼梦》第一回
人人生而自由，在尊嚴和權利上一律平等。「繁體中文」測試…
すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。カタカナ、ひらがな、ー、ｶﾀｶﾅ、１２３４
모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. ㄱㄴㄷ ㅏㅑ 한글
የሰው ልጅ ሁሉ ሲወለድ ነጻና በክብር እኩል ነው።
ᎣᏏᏲ ᏣᎳᎩ ᐃᓄᒃᑎᑐᑦ ᚠᚢᚦᚨᚱᚲ ᠮᠣᠩᠭᠣᠯ 𐐔𐐇𐐝 𝒜𝓑 𠜎𠜱 Ａｂｃ！？
e\u0301 n\u0303 a\u030a\u0323 Z\u0351\u036b\u0343a\u0341l\u0350g\u034fo\u0348 क\u093c \u0301\u0301 o\u0338
½ ⅓ ² ³ ① Ⅻ ⅷ ㊿ ㉈ 12½ x² H₂O 三千 二〇二四年 ٣٫١٤ 1,234,567.89 -273.15°C 0x1F 1e-9 192.168.0.1
😀 👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈 🇫🇷🇯🇵 ❤️ ☕ ✈️ 1️⃣ #️⃣ 🧑‍🚀🚀 ‼️ ™ © ® €£¥₿ → ⇒ ∀x∈ℝ: x²≥0 ∑∫√∞ ┌─┐ ▁▂▃█ ♠♥ ♫
🩷🫨🪽 🫷🏽🛜 🫩🪾🫜 \U00031350\U0002ebf0 \ua7cb\ua7cd x\u0897 \U00010d40\U00010d41 \U0001e5ff \U00016d6d""".split("\n")

CODE = [
    'int main(void) {\n\tprintf("Hello, %s!\\n", argv[1]);\n\treturn 0;\n}\n',
    "def fib(n: int) -> int:\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n\n\n# end\n",
    "template <typename T>\nconstexpr auto operator<=>(const T& a, const T&& b) noexcept;  // x->y::z\r\n",
    'const f = async ({a, ...b}) => `${a?.b ?? "c"}`;\n\n  /* $jquery */ $(".x").on("click", () => {});',
    "fn main() -> Result<(), Box<dyn Error>> {\n    let v: Vec<u8> = vec![0; 1_000];\n    println!(\"{v:?}\");\n}",
    "SELECT COUNT(*) AS n, u.name FROM users u WHERE u.id IN (1,2,3) AND u.e != 'a''b' ORDER BY 1 DESC;\n",
    '{"a": [1, 2.5e-3, null, true], "b\\u00e9": {"c": "\\\\d+\\n"}}',
    '<div class="a b" id=\'c\'><!-- x --><p>&nbsp;&lt;</p><br/></div>\n\n\n\n',
    "#!/bin/sh\nset -eu; for f in *.c; do cc -O2 -o \"${f%.c}\" \"$f\" 2>&1 | tee -a log || exit $?; done\n",
    "\\frac{\\partial^2 u}{\\partial t^2} = c^2 \\nabla^2 u, \\quad \\forall x_{i,j} \\in \\mathbb{R}^{n\\times m}",
    "| a | b |\n|---|:-:|\n| **x** | _y_ ~~z~~ |\n\n```py\nx = 1\n```\n* - + 1. [l](http://e.x/?q=1&r=%20#f)\n",
    "module M where\n  f :: Int -> [a] -> Maybe a\n  f n xs | n <= 0 = Nothing\n"
    "         | otherwise = foldr (\\x _ -> Just x) Nothing xs\n",
]

SPECIALS = [
    "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>", "<｜User｜>", "<｜Assistant｜>", "<|EOT|>", "<think>",
    "</think>", "<｜fim▁hole｜>", "<｜fim▁begin｜>", "<｜fim▁end｜>", "<｜tool▁calls▁begin｜>", "<｜tool▁sep｜>",
    "<｜place▁holder▁no▁0｜>", "<｜place▁holder▁no▁799｜>", "<|im_start|>", "<|im_end|>", "<s>", "</s>", "[INST]",
    "<｜begin of sentence｜>", "<｜begin▁of▁sentence", "<|begin▁of▁sentence|>", "<｜User", "｜>", "<｜", "<", "ø", "øø", "øøø",
    "<<think>>", "<think", "<｜end▁of▁sentence｜><｜begin▁of▁sentence｜>", "<|endoftext|>", "[PAD5]", "<0x0A>", "<unk>",
]

SPACES = [" ", "  ", "   ", "\t", "\n", "\r", "\r\n", "\n\n", "\u3000", "\u00a0", "\u2003", "\u2028", "\u0085", "\v", "\f",
          "\u200b", "\u1680", "\u202f", "\u205f", "\ufeff", "\0", "\x1c", "\u2029"]

PUNCTUATION = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + ["…", "—", "“", "”", "‘", "’", "，", "。", "！", "？", "、", "；", "：",
                                                            "（", "）", "《", "》", "～", "·", "«", "»", "¿", "‰", "§", "†"]


def stable(character):
    old, new = unicodedata.ucd_3_2_0.category(character), unicodedata.category(character)
    return old[0] == new[0] and old != "Cn" and (old == "Zs") == (new == "Zs")


SAMPLED = set("".join(PROSE + CODE + SPECIALS + SPACES + PUNCTUATION))
STABLE = [c for c in map(chr, range(0x110000)) if not 0xD800 <= ord(c) < 0xE000 and stable(c)]
LOW = [c for c in STABLE if ord(c) < 0x3100]
NONCHARACTERS = ["\ufffe", "\uffff", "\U0001fffe", "\U0010ffff", "\ue000", "\U000f0000", "\ufffd"]


def slice_of(rng, text, most):
    start = rng.randrange(len(text))
    return text[start:start + rng.randint(1, most)]


def word(rng):
    return rng.choice(rng.choice(PROSE).split(" "))


def digits(rng):
    return "".join(rng.choice("0123456789") for _ in range(rng.choice((1, 2, 3, 4, 5, 7, 11, 20))))


def repeat(rng):
    return rng.choice(SPACES + PUNCTUATION + list("aAz0é中あ한😀e\u0301")) * rng.randint(2, 70)


def surrogates(rng):
    """Halves of surrogate pairs as ill-formed UTF-8, alone and in pairs."""
    half = lambda: chr(rng.randrange(0xD800, 0xE000)).encode("utf-8", "surrogatepass")
    return b"".join(rng.choice((half(), half() + half(), word(rng).encode())) for _ in range(rng.randint(1, 4)))


def cut_bytes(rng):
    """Text cut in the middle of characters."""
    raw = bytearray(slice_of(rng, rng.choice(PROSE[8:]), 20).encode())
    for _ in range(rng.randint(1, 3)):
        if raw:
            del raw[rng.randrange(len(raw))]
    return bytes(raw)


def with_special(rng):
    return rng.choice(SPECIALS) + rng.choice(("", " ", "\n", word(rng)))


def mixed(rng):
    makers = (lambda: rng.choice(SPACES), lambda: rng.choice(PUNCTUATION), lambda: word(rng), lambda: digits(rng),
              lambda: rng.choice(SPECIALS), lambda: rng.choice(STABLE), lambda: " " + word(rng), lambda: rng.choice("\n "))
    return "".join(rng.choice(makers)() for _ in range(rng.randint(2, 10)))


MAKERS = [
    (14, lambda rng: slice_of(rng, rng.choice(PROSE), 50)),
    (10, lambda rng: slice_of(rng, rng.choice(CODE), 50)),
    (6, lambda rng: " ".join(word(rng) for _ in range(rng.randint(1, 6)))),
    (20, mixed),
    (6, lambda rng: "".join(rng.choice(SPACES) for _ in range(rng.randint(1, 8))) + rng.choice(("", word(rng), "7"))),
    (5, lambda rng: word(rng) + rng.choice(("", " ", "\n", ".")) + digits(rng) + rng.choice(("", " ", "年", word(rng)))),
    (6, lambda rng: "".join(rng.choice(STABLE) for _ in range(rng.randint(1, 10)))),
    (6, lambda rng: "".join(rng.choice(LOW) for _ in range(rng.randint(1, 16)))),
    (10, lambda rng: word(rng) + "".join(with_special(rng) for _ in range(rng.randint(1, 3)))),
    (4, repeat),
    (4, surrogates),
    (5, cut_bytes),
    (4, lambda rng: rng.randbytes(rng.randint(1, 24))),
    (3, lambda rng: "".join(rng.choice(NONCHARACTERS + [" ", "a"]) for _ in range(rng.randint(1, 5)))),
    (5, lambda rng: "".join(rng.choice(PUNCTUATION + [word(rng), " ", "\r\n"]) for _ in range(rng.randint(1, 10)))),
]


def make_strings(count):
    rng = random.Random(20240507)
    usable = set(STABLE) | SAMPLED | set(NONCHARACTERS)
    strings = [b"", b" ", b"\n", b"a"] + [s.encode() for s in PROSE + CODE + SPECIALS + SPACES]
    seen = set(strings)
    makers, weights = [m for _, m in MAKERS], [w for w, _ in MAKERS]
    while len(strings) < count:
        s = rng.choices(makers, weights)[0](rng)
        s = s.encode() if isinstance(s, str) else s
        if s not in seen and set(s.decode("utf-8", errors="replace")) <= usable:
            seen.add(s)
            strings.append(s)
    return strings
