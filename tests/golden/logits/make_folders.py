#!/usr/bin/env python3
"""Makes the folders that differ in form from those of make_golden.py, with logits of transformers in float32:  python3 make_folders.py

fp8      a DeepSeek-V3 whose matrices are F8_E4M3 with one scale for 128 × 128 values; no size is a multiple of 128. The logits are those
         of the values that torch makes of codes and scales.
glm47    a Glm4MoeLiteForCausalLM (GLM-4.7-Flash) as transformers writes it, with its own names in config.json.
"""
import json
import shutil

import torch
from make_golden import HERE, MARGIN, N_TOKENS, compare, logits_of, randomise, reference_of, write
from safetensors.torch import load_file, save_file
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM, Glm4MoeLiteConfig, Glm4MoeLiteForCausalLM

SIZES = {"vocab_size": 96, "hidden_size": 160, "intermediate_size": 200, "moe_intermediate_size": 40, "num_hidden_layers": 2, "n_routed_experts": 8,
         "num_experts_per_tok": 3, "n_shared_experts": 1, "kv_lora_rank": 144, "q_lora_rank": 136, "qk_rope_head_dim": 8, "qk_nope_head_dim": 24,
         "v_head_dim": 20, "num_attention_heads": 3, "num_key_value_heads": 3, "max_position_embeddings": 512}
BLOCK = 128


def to_fp8(weight):
    """Codes, scales, and the values that they stand for."""
    rows, cols = weight.shape
    codes, values = torch.empty(rows, cols, dtype=torch.float8_e4m3fn), torch.empty(rows, cols)
    scales = torch.empty(-(-rows // BLOCK), -(-cols // BLOCK))
    for i in range(scales.shape[0]):
        for j in range(scales.shape[1]):
            block = (slice(i * BLOCK, (i + 1) * BLOCK), slice(j * BLOCK, (j + 1) * BLOCK))
            scales[i, j] = weight[block].float().abs().max() / 448
            codes[block] = (weight[block].float() / scales[i, j]).to(torch.float8_e4m3fn)
            values[block] = codes[block].float() * scales[i, j]
    return codes, scales, values


def quantise(folder):
    """The folder's matrices become FP8, those of DeepSeek's choice; returns all tensors as floats."""
    stored, floats = {}, {}
    for name, weight in load_file(folder / "model.safetensors").items():
        if weight.dim() != 2 or any(part in name for part in ("embed_tokens", "lm_head", "mlp.gate.")):
            stored[name], floats[name] = weight, weight.float()
        else:
            stored[name], stored[name + "_scale_inv"], floats[name] = to_fp8(weight)
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8", "weight_block_size": [BLOCK, BLOCK]}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    return floats


def make(name, model_class, config, is_fp8):
    folder = HERE / name
    for seed in range(1, 500):
        shutil.rmtree(folder, ignore_errors=True)
        torch.manual_seed(seed)
        model = randomise(model_class(config).eval(), 3).bfloat16()
        model.save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        scratch = folder / "scratch"
        scratch.mkdir()
        floats = quantise(folder) if is_fp8 else {n: w.float() for n, w in load_file(folder / "model.safetensors").items()}
        save_file(floats, scratch / "model.safetensors", metadata={"format": "pt"})
        config.save_pretrained(scratch)
        model = model_class.from_pretrained(scratch, dtype=torch.float32, attn_implementation="eager").eval()
        shutil.rmtree(scratch)
        tokens = torch.randint(config.vocab_size, (N_TOKENS,)).tolist()
        reference = reference_of(model)
        if "mlp_layer_types" in reference.c:  # GLM's name for it, and the routing of V3
            reference.c["first_k_dense_replace"], reference.v3 = reference.c["mlp_layer_types"].count("dense"), True
        expected = reference.logits(torch.tensor(tokens).numpy())
        if reference.margin > MARGIN:
            logits = logits_of(model, tokens)
            compare(name, seed, reference, expected, logits)
            return write(folder, tokens, logits)
    raise SystemExit(f"{name}: no seed with a routing margin above {MARGIN}")


if __name__ == "__main__":
    make("fp8", DeepseekV3ForCausalLM, DeepseekV3Config(**SIZES, n_group=4, topk_group=2, first_k_dense_replace=1, num_nextn_predict_layers=0), True)
    make("glm47", Glm4MoeLiteForCausalLM, Glm4MoeLiteConfig(**SIZES | {"q_lora_rank": 24, "kv_lora_rank": 32, "hidden_size": 64}, rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}), False)
