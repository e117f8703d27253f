#!/usr/bin/env python3
"""Print the model card's figures and samples.  usage: report.py HF_FOLDER WORK"""
import json
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from transformers import DeepseekV3ForCausalLM, set_seed

from demo_model import BOS, loss_of


@torch.no_grad()
def llama_perplexity(model, text, tokenizer, context=512):
    """What llama.cpp's llama-perplexity prints for -c 512: the second half of each whole window is scored."""
    ids = tokenizer.encode(text).ids
    total = count = 0
    for start in range(0, len(ids) - context + 1, context):
        window = torch.tensor([[BOS] + ids[start + 1:start + context]])
        logits = model(input_ids=window, use_cache=False).logits[0]
        first = context // 2
        total += F.cross_entropy(logits[first:-1], window[0, first + 1:], reduction="sum").item()
        count += context - first - 1
    return math.exp(total / count)


def main():
    folder, work = Path(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(2)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = DeepseekV3ForCausalLM.from_pretrained(folder, dtype="float32").eval()
    print(f"{sum(p.numel() for p in model.parameters())} parameters")
    for name, value in model.named_buffers():
        if name.endswith("e_score_correction_bias"):
            print(name, [round(v, 4) for v in value.tolist()])

    shipped = (work / "heldout.txt").read_text()
    heldout = json.loads((work / "heldout.json").read_text())
    for label, texts, context in [("all held-out chapters", heldout, 512), ("heldout.txt", [shipped], 256),
                                  ("heldout.txt", [shipped], 512), ("heldout.txt", [shipped], 1024)]:
        r = loss_of(model, texts, tokenizer, context)
        print(f"{label}, windows of {context}: loss {r['loss']:.4f}, perplexity {r['perplexity']:.3f}, "
              f"{r['bits_per_byte']:.4f} bits per byte ({r['tokens']} tokens, {r['bytes']} bytes)")
    print(f"heldout.txt, llama-perplexity -c 512: {llama_perplexity(model, shipped, tokenizer):.4f}")

    prompt = torch.tensor([tokenizer.encode("In the beginning").ids])
    for label, options in [("greedy", {"do_sample": False}),
                           *((f"temperature 0.8, seed {s}", {"do_sample": True, "temperature": 0.8, "top_k": 0})
                             for s in (1, 2, 3))]:
        if options["do_sample"]:
            set_seed(int(label[-1]))
        out = model.generate(prompt, max_new_tokens=200, pad_token_id=2, **options)
        print(f"\n--- {label}\n{tokenizer.decode(out[0].tolist())}")


main()
