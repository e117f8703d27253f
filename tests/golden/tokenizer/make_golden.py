#!/usr/bin/env python3
"""Golden files of the tokenizer tests; the oracle is Hugging Face's `tokenizers` library (see README.md for versions).

usage: make_golden.py V3_FOLDER          writes the files beside this script
       make_golden.py V3_FOLDER --show N prints string N and what the oracle makes of it

V3_FOLDER holds DeepSeek-V3's tokenizer.json.
"""
import copy
import json
import struct
import sys
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from strings import make_strings

HERE = Path(__file__).parent
N_STRINGS = 10_000


def varint(n):
    out = bytearray()
    while n >= 128:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def fnv1a(ids):
    h = 0x811C9DC5
    for byte in b"".join(struct.pack("<I", i) for i in ids):
        h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return h


def is_control(token):
    """As libmla decides it: special, or written like DeepSeek's control tokens."""
    return token["special"] or (token["content"].startswith("<｜") and token["content"].endswith("｜>"))


def without_control(t):
    """The tokenizer to which control tokens are plain text."""
    t = copy.deepcopy(t)
    for a in t["added_tokens"]:
        if is_control(a):
            t["model"]["vocab"].pop(a["content"], None)
    t["added_tokens"] = [a for a in t["added_tokens"] if not is_control(a)]
    return t


def oracle_of(t, t_ids):
    """Encodes with tokenizer t, in the ids of tokenizer t_ids: the library numbers added tokens anew."""
    ids = t_ids["model"]["vocab"] | {a["content"]: a["id"] for a in t_ids["added_tokens"]}
    library = Tokenizer.from_str(json.dumps(t))
    return library, lambda text: [ids[token] for token in library.encode(text, add_special_tokens=False).tokens]


def compact_v3(t):
    """DeepSeek-V3's vocabulary in 0.5 MB: ids 3 to 258 are the byte alphabet, 259 + i is what merge i makes."""
    vocab, merges = t["model"]["vocab"], [m.split(" ") for m in t["model"]["merges"]]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    assert all(vocab[c] == 3 + i for i, c in enumerate(alphabet))
    assert all(vocab[a + b] == 259 + i for i, (a, b) in enumerate(merges))
    assert len(vocab) == 259 + len(merges)
    (HERE / "v3.merges").write_bytes(b"".join(varint(vocab[a]) + varint(vocab[b]) for a, b in merges))
    assert all(not (a["single_word"] or a["lstrip"] or a["rstrip"]) for a in t["added_tokens"])
    (HERE / "v3.added").write_text("".join(
        f"{a['id']}\t{'control' if is_control(a) else 'user_defined'}\t{a['content']}\n" for a in t["added_tokens"]))


# Cased letters of Unicode 11's larger scripts, as deepseek-ai/deepseek-llm-7b-base publishes the range list.
LETTER_RANGES = """41-5a 61-7a b5 c0-d6 d8-f6 f8-1ba 1bc-1bf 1c4-293 295-2af 370-373 376 377 37b-37d 37f 386 388-38a 38c
38e-3a1 3a3-3f5 3f7-481 48a-52f 531-556 10a0-10c5 13a0-13f5 13f8-13fd 1c90-1cba 1cbd-1cbf 1d00-1d2b 1d6b-1d77 1d79-1d9a
1e00-1f15 1f18-1f1d 1f20-1f45 1f48-1f4d 1f50-1f57 1f59 1f5b 1f5d 1f5f-1f7d 1f80-1fb4 1fb6-1fbc 1fbe 1fc2-1fc4 1fc6-1fcc
1fd0-1fd3 1fd6-1fdb 1fe0-1fec 1ff2-1ff4 1ff6-1ffc 2102 2107 210a-2113 2115 2119-211d 2124 2126 2128 212a-212d 212f-2134
2139 213c-213f 2145-2149 214e 2183 2184 2c00-2c7b 2c7e-2ce4 2ceb-2cee 2cf2 2cf3 a640-a66d a680-a69b a722-a76f a771-a787
a78b-a78e ab70-abbf fb00-fb06 fb13-fb17 ff21-ff3a ff41-ff5a 10400-1044f 104b0-104d3 104d8-104fb 10c80-10cb2 10cc0-10cf2
118a0-118df 1e900-1e943"""
LETTERS = "".join("-".join(chr(int(end, 16)) for end in r.split("-")) for r in LETTER_RANGES.split())
LLM_SPLITS = ["[\r\n]", rf"\s?[{LETTERS}]+", "\\s?[!-/:-~！-／：-～‘-‟\u3000-。]+", r"\s+$", "[一-龥\u0800-一가-\ud7ff]+"]


def train_llm(strings):
    """A small tokenizer with deepseek-llm's pre-tokeniser and the kinds of added token that DeepSeek-V2 has."""
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(s), "isolated") for s in LLM_SPLITS]
        + [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    # As in DeepSeek-V2, bytes that UTF-8 never has are not in the vocabulary; their characters are added tokens.
    alphabet = [c for c in pre_tokenizers.ByteLevel.alphabet() if c not in "ÀÁõö÷øùúûüýþÿ"]
    t.train_from_iterator(strings, trainers.BpeTrainer(vocab_size=2000, initial_alphabet=alphabet, show_progress=False))
    t.add_tokens([AddedToken(c, special=False, normalized=True) for c in "øöúÿõ÷ûýÀùÁþü"])
    t.add_special_tokens([AddedToken(s, special=True, normalized=False)
                          for s in ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<|EOT|>")])
    t.add_tokens([AddedToken(s, special=False, normalized=True) for s in ("<｜fim▁hole｜>", "<think>", "</think>", "øø")])
    (HERE / "llm").mkdir(exist_ok=True)
    (HERE / "llm" / "tokenizer.json").write_text(json.dumps(json.loads(t.to_str()), ensure_ascii=False, separators=(",", ":")))
    (HERE / "llm" / "tokenizer_config.json").write_text(json.dumps({
        "add_bos_token": True, "add_eos_token": False, "bos_token": {"content": "<｜begin▁of▁sentence｜>", "lstrip": False},
        "eos_token": "<｜end▁of▁sentence｜>", "pad_token": None, "chat_template": [
            {"name": "tool_use", "template": "no"}, {"name": "default", "template": "{{ messages }}"}]}, ensure_ascii=False))


def main():
    strings = make_strings(N_STRINGS)
    texts = [s.decode("utf-8", errors="replace") for s in strings]
    v3 = json.loads((Path(sys.argv[1]) / "tokenizer.json").read_text())
    show = int(sys.argv[3]) if sys.argv[2:3] == ["--show"] else None
    if show is None:
        compact_v3(v3)
        train_llm(texts)
        (HERE / "strings").write_bytes(b"".join(varint(len(s)) + s for s in strings))
    llm = json.loads((HERE / "llm" / "tokenizer.json").read_text())
    for name, t in ("v3", v3), ("llm", llm):
        for mode, chosen in ("special", t), ("plain", without_control(t)):
            library, encode = oracle_of(chosen, t)
            if show is not None:
                print(name, mode, repr(texts[show]), encode(texts[show]), library.encode(texts[show]).tokens)
                continue
            ids = [encode(text) for text in texts]
            assert mode == "plain" or ids == [library.encode(text, add_special_tokens=False).ids for text in texts]
            for i, text in zip(ids, texts):  # the byte-level decoder reads the added "ø" as a byte, which it is not
                assert name == "llm" or mode == "plain" or library.decode(i, skip_special_tokens=False) == text
            (HERE / f"{name}.{mode}").write_bytes(b"".join(struct.pack("<I", fnv1a(i)) for i in ids))
            print(name, mode, sum(map(len, ids)), "tokens of", sum(map(len, strings)), "bytes")


if __name__ == "__main__":
    main()
