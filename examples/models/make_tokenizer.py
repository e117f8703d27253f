#!/usr/bin/env python3
"""Train the demo model's byte-level BPE.  usage: make_tokenizer.py WORK (reads train.json there)

Text is cut the way DeepSeek-V3's tokenizer cuts it, so that a GGUF file can say
tokenizer.ggml.pre = "deepseek-v3"; only the vocabulary is the demo model's own.
"""
import json
import sys
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

VOCAB = 2048
BOS, EOS = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
PAD, USER, ASSISTANT = "<｜▁pad▁｜>", "<｜User｜>", "<｜Assistant｜>"
SPECIAL = [BOS, EOS, PAD, USER, ASSISTANT]  # ids 0 to 4

SPLITS = [
    r"\p{N}{1,3}",
    r"[一-龥぀-ゟ゠-ヿ]+",
    # "\r" and "\n" are the characters themselves inside the published pattern
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
]

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '<｜User｜>' + message['content'] }}"
    "{% elif message['role'] == 'assistant' %}{{ '<｜Assistant｜>' + message['content'] + eos_token }}"
    "{% else %}{{ message['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}{% endif %}"
)


def main():
    work = Path(sys.argv[1])
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(s), "isolated") for s in SPLITS]
        + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    # The whole byte alphabet is in the vocabulary: any text can be encoded.
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
        special_tokens=[AddedToken(s, normalized=False, special=True) for s in SPECIAL])
    tokenizer.train_from_iterator(json.loads((work / "train.json").read_text()), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, 0)])

    out = work / "tokenizer"
    out.mkdir(exist_ok=True)
    tokenizer.save(str(out / "tokenizer.json"))
    (out / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": True, "add_eos_token": False,
        "bos_token": BOS, "eos_token": EOS, "pad_token": PAD, "unk_token": None,
        "clean_up_tokenization_spaces": False, "model_max_length": 1024,
        "chat_template": CHAT_TEMPLATE}, ensure_ascii=False, indent=1))
    assert tokenizer.get_vocab_size() == VOCAB
    assert all(tokenizer.token_to_id(s) == i for i, s in enumerate(SPECIAL))


main()
