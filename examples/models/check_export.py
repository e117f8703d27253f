#!/usr/bin/env python3
"""Read the GGUF file back, rebuild a Hugging Face model from it alone and compare held-out losses.

usage: check_export.py MODEL.gguf HF_FOLDER TEXT
"""
import sys
from pathlib import Path

import gguf
import torch
from tokenizers import Tokenizer
from transformers import DeepseekV3ForCausalLM

from demo_model import config, loss_of
from export import NAMES, TOP


def state_dict(path, c):
    """The checkpoint's tensors, from the file: export.py backwards."""
    read = {t.name: torch.from_numpy(t.data.copy()).float() for t in gguf.GGUFReader(path).tensors}
    state = {name: read.pop(gguf_name) for name, gguf_name in TOP.items()}
    for layer in range(c.num_hidden_layers):
        prefix, block = f"model.layers.{layer}.", f"blk.{layer}."
        for name, gguf_name in NAMES.items():
            if block + gguf_name in read:
                state[prefix + name] = read.pop(block + gguf_name)
        k_b, v_b = read.pop(block + "attn_k_b.weight"), read.pop(block + "attn_v_b.weight")
        state[prefix + "self_attn.kv_b_proj.weight"] = torch.cat([k_b.mT, v_b], 1).flatten(0, 1)
        if layer >= c.first_k_dense_replace:
            gate, up, down = (read.pop(f"{block}ffn_{part}_exps.weight") for part in ("gate", "up", "down"))
            # In memory transformers keeps the experts stacked, gate on top of up.
            state[prefix + "mlp.experts.gate_up_proj"] = torch.cat([gate, up], 1)
            state[prefix + "mlp.experts.down_proj"] = down
    assert not read, f"tensors left over: {list(read)}"
    return state


def main():
    path, folder, text = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]).read_text()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = DeepseekV3ForCausalLM(config())
    model.load_state_dict(state_dict(path, model.config))
    ours = loss_of(model, [text], tokenizer)["loss"]
    reference = loss_of(DeepseekV3ForCausalLM.from_pretrained(folder, dtype="float32"), [text], tokenizer)["loss"]
    print(f"loss of the GGUF file {ours:.6f}, of the checkpoint {reference:.6f}")
    assert abs(ours - reference) < 1e-4


if __name__ == "__main__":
    main()
