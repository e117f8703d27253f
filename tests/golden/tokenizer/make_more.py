#!/usr/bin/env python3
"""Golden files of the pre-tokenisers that are not DeepSeek's:  python3 make_more.py

kimi/  a small vocabulary as tiktoken.model, with the tokenizer_config.json that Kimi-K2 has; the oracle is tiktoken with the pattern of
       moonshotai/Kimi-K2-Instruct's tokenization_kimi.py.
glm4/  a small tokenizer.json with the pre-tokeniser of zai-org/GLM-4.7-Flash; the oracle is Hugging Face's tokenizers.
"""
import base64
import json
import struct

import tiktoken
from make_golden import HERE, N_STRINGS, fnv1a, make_strings, without_control
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
REST = r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
KIMI = (r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?" + UPPER + "*" + LOWER + "+" + CONTRACTIONS + r"?|[^\r\n\p{L}\p{N}]?" + UPPER + "+" + LOWER + "*" + CONTRACTIONS + "?|" + REST)
GLM4 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|" + REST
ALPHABET = pre_tokenizers.ByteLevel.alphabet()
BYTES = {c: b for b, c in zip(sorted(range(256), key=lambda b: (not (33 <= b <= 126 or 161 <= b <= 172 or 174 <= b), b)),
                              sorted(ALPHABET))}


def trained(pattern, strings, size):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(strings, trainers.BpeTrainer(vocab_size=size, initial_alphabet=ALPHABET, show_progress=False))
    return t


def write_hashes(name, all_ids):
    (HERE / name).write_bytes(b"".join(struct.pack("<I", fnv1a(ids)) for ids in all_ids))


def make_kimi(texts):
    merges = json.loads(trained(GLM4, texts, 1500).to_str())["model"]["merges"]
    ranks = {bytes([b]): b for b in range(256)}
    for left, right in merges:
        token = bytes(BYTES[c] for c in left + right)
        if token not in ranks:  # merges of other pairs to the same bytes
            ranks[token] = len(ranks)
    n = len(ranks)
    named = {n: "[BOS]", n + 1: "[EOS]", n + 2: "<|im_end|>", n + 3: "<|im_user|>", n + 11: "<|tool_call_begin|>", n + 255: "[PAD]"}
    folder = HERE / "kimi"
    folder.mkdir(exist_ok=True)
    (folder / "tiktoken.model").write_bytes(b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks.items()))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "added_tokens_decoder": {str(i): {"content": text, "special": "tool" not in text, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
                                 for i, text in named.items()},
        "bos_token": "[BOS]", "eos_token": "[EOS]", "pad_token": "[PAD]", "unk_token": None, "tokenizer_class": "TikTokenTokenizer",
        "auto_map": {"AutoTokenizer": ["tokenization_kimi.TikTokenTokenizer", None]}, "chat_template": "{{ messages }}"}, indent=1))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": n + 2, "max_length": 131072}))
    special = {named.get(i, f"<|reserved_token_{i}|>"): i for i in range(n, n + 256)}
    encoding = tiktoken.Encoding("kimi", pat_str=KIMI, mergeable_ranks=ranks, special_tokens=special)
    write_hashes("kimi.plain", [encoding.encode(t, disallowed_special=()) for t in texts])
    write_hashes("kimi.special", [encoding.encode(t, allowed_special="all") for t in texts])


def make_glm4(texts):
    t = trained(GLM4, texts, 1500)
    t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in ("<|endoftext|>", "[gMASK]", "<|user|>", "<|observation|>")])
    folder = HERE / "glm4"
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(json.loads(t.to_str()), ensure_ascii=False, separators=(",", ":")))
    ids = {s: t.token_to_id(s) for s in ("<|endoftext|>", "<|user|>", "<|observation|>")}
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": list(ids.values())}))
    plain = Tokenizer.from_str(json.dumps(without_control(json.loads(t.to_str()))))
    write_hashes("glm4.plain", [plain.encode(text, add_special_tokens=False).ids for text in texts])
    write_hashes("glm4.special", [t.encode(text, add_special_tokens=False).ids for text in texts])


if __name__ == "__main__":
    strings = [s.decode("utf-8", errors="replace") for s in make_strings(N_STRINGS)]
    make_kimi(strings)
    make_glm4(strings)
