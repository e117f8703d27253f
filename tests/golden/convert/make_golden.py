#!/usr/bin/env python3
"""Writes a tiny Hugging Face folder of random weights, and what its tensors become in GGUF by the gguf package's own quantiser.

Made with gguf 0.19.0, numpy 2.4.6, safetensors 0.8.0 and torch 2.15.0 (which only writes bfloat16):  python3 make_golden.py

folder/       a DeepSeek-V3 model in BF16 (the routing bias in F32), two shards and an index
<type>.gguf   its weights as F32, F16, BF16 and Q8_0 with kv_b split into k_b and v_b; norms and routers F32; rows that
              Q8_0 doesn't fit F16. The metadata say what config.json says.
"""
import json
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter
from gguf.quants import quantize
from safetensors.torch import save_file

FOLDER = Path(__file__).parent
CONFIG = {
    "architectures": ["DeepseekV3ForCausalLM"], "attention_bias": False, "bos_token_id": 0, "eos_token_id": 1, "first_k_dense_replace": 1,
    "hidden_act": "silu", "hidden_size": 32, "intermediate_size": 64, "kv_lora_rank": 32, "max_position_embeddings": 2560, "model_type": "deepseek_v3",
    "moe_intermediate_size": 16, "moe_layer_freq": 1, "n_group": 2, "n_routed_experts": 4, "n_shared_experts": 2, "norm_topk_prob": True,
    "num_attention_heads": 2, "num_experts_per_tok": 2, "num_hidden_layers": 2, "num_nextn_predict_layers": 0, "q_lora_rank": 32,
    "qk_nope_head_dim": 24, "qk_rope_head_dim": 4, "rms_norm_eps": 1e-6,
    "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0, "original_max_position_embeddings": 64, "type": "yarn"},
    "rope_theta": 10000, "routed_scaling_factor": 2.5, "scoring_func": "sigmoid", "tie_word_embeddings": False, "topk_group": 1, "topk_method": "noaux_tc",
    "torch_dtype": "bfloat16", "v_head_dim": 12, "vocab_size": 24,
}
C = CONFIG
HEADS, NOPE, ROPE, VALUE, LATENT = C["num_attention_heads"], C["qk_nope_head_dim"], C["qk_rope_head_dim"], C["v_head_dim"], C["kv_lora_rank"]
TYPES = {"f32": Type.F32, "f16": Type.F16, "bf16": Type.BF16, "q8_0": Type.Q8_0}


def make_weights():
    generator = torch.Generator().manual_seed(20240614)
    weights = {}

    def matrix(name, rows, cols):
        weights[name] = (torch.randn(rows, cols, generator=generator) * cols**-0.5).bfloat16()

    def norm(name, n):
        weights[name] = (1 + 0.1 * torch.randn(n, generator=generator)).bfloat16()

    def ffn(name, width):
        matrix(name + "gate_proj.weight", width, C["hidden_size"])
        matrix(name + "up_proj.weight", width, C["hidden_size"])
        matrix(name + "down_proj.weight", C["hidden_size"], width)

    matrix("model.embed_tokens.weight", C["vocab_size"], C["hidden_size"])
    for layer in range(C["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        norm(at + "input_layernorm.weight", C["hidden_size"])
        matrix(at + "self_attn.q_a_proj.weight", C["q_lora_rank"], C["hidden_size"])
        norm(at + "self_attn.q_a_layernorm.weight", C["q_lora_rank"])
        matrix(at + "self_attn.q_b_proj.weight", HEADS * (NOPE + ROPE), C["q_lora_rank"])
        matrix(at + "self_attn.kv_a_proj_with_mqa.weight", LATENT + ROPE, C["hidden_size"])
        norm(at + "self_attn.kv_a_layernorm.weight", LATENT)
        matrix(at + "self_attn.kv_b_proj.weight", HEADS * (NOPE + VALUE), LATENT)
        matrix(at + "self_attn.o_proj.weight", C["hidden_size"], HEADS * VALUE)
        norm(at + "post_attention_layernorm.weight", C["hidden_size"])
        if layer < C["first_k_dense_replace"]:
            ffn(at + "mlp.", C["intermediate_size"])
            continue
        matrix(at + "mlp.gate.weight", C["n_routed_experts"], C["hidden_size"])
        weights[at + "mlp.gate.e_score_correction_bias"] = torch.randn(C["n_routed_experts"], generator=generator)
        for expert in range(C["n_routed_experts"]):
            ffn(at + f"mlp.experts.{expert}.", C["moe_intermediate_size"])
        ffn(at + "mlp.shared_experts.", C["moe_intermediate_size"] * C["n_shared_experts"])
    norm("model.norm.weight", C["hidden_size"])
    matrix("lm_head.weight", C["vocab_size"], C["hidden_size"])
    return weights


def write_folder(weights):
    folder = FOLDER / "folder"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    names = sorted(weights)
    shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    weight_map = {}
    for file, held in shards.items():
        save_file({name: weights[name] for name in held}, folder / file, metadata={"format": "pt"})
        weight_map |= {name: file for name in held}
    index = {"metadata": {"total_size": sum(w.numel() * w.element_size() for w in weights.values())}, "weight_map": dict(sorted(weight_map.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def gguf_tensors(weights):
    """Name, float32 values in row-major shape, and whether it is a matrix that takes the type asked for."""
    w = {name: tensor.float().numpy() for name, tensor in weights.items()}
    yield "token_embd.weight", w["model.embed_tokens.weight"], True
    for layer in range(C["num_hidden_layers"]):
        at, to = f"model.layers.{layer}.", f"blk.{layer}."
        yield to + "attn_norm.weight", w[at + "input_layernorm.weight"], False
        yield to + "attn_q_a.weight", w[at + "self_attn.q_a_proj.weight"], True
        yield to + "attn_q_a_norm.weight", w[at + "self_attn.q_a_layernorm.weight"], False
        yield to + "attn_q_b.weight", w[at + "self_attn.q_b_proj.weight"], True
        yield to + "attn_kv_a_mqa.weight", w[at + "self_attn.kv_a_proj_with_mqa.weight"], True
        yield to + "attn_kv_a_norm.weight", w[at + "self_attn.kv_a_layernorm.weight"], False
        k, v = np.split(w[at + "self_attn.kv_b_proj.weight"].reshape(HEADS, NOPE + VALUE, LATENT), [NOPE], axis=1)
        yield to + "attn_k_b.weight", np.ascontiguousarray(k.transpose(0, 2, 1)), True
        yield to + "attn_v_b.weight", np.ascontiguousarray(v), True
        yield to + "attn_output.weight", w[at + "self_attn.o_proj.weight"], True
        yield to + "ffn_norm.weight", w[at + "post_attention_layernorm.weight"], False
        if layer < C["first_k_dense_replace"]:
            for part in ("gate", "up", "down"):
                yield to + f"ffn_{part}.weight", w[at + f"mlp.{part}_proj.weight"], True
            continue
        yield to + "ffn_gate_inp.weight", w[at + "mlp.gate.weight"], False
        yield to + "exp_probs_b.bias", w[at + "mlp.gate.e_score_correction_bias"], False
        for part in ("gate", "up", "down"):
            experts = [w[at + f"mlp.experts.{expert}.{part}_proj.weight"] for expert in range(C["n_routed_experts"])]
            yield to + f"ffn_{part}_exps.weight", np.stack(experts), True
        for part in ("gate", "up", "down"):
            yield to + f"ffn_{part}_shexp.weight", w[at + f"mlp.shared_experts.{part}_proj.weight"], True
    yield "output_norm.weight", w["model.norm.weight"], False
    yield "output.weight", w["lm_head.weight"], True


def add_metadata(writer):
    writer.add_block_count(C["num_hidden_layers"])
    writer.add_context_length(C["max_position_embeddings"])
    writer.add_embedding_length(C["hidden_size"])
    writer.add_feed_forward_length(C["intermediate_size"])
    writer.add_vocab_size(C["vocab_size"])
    writer.add_leading_dense_block_count(C["first_k_dense_replace"])
    writer.add_layer_norm_rms_eps(C["rms_norm_eps"])
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(1)
    writer.add_kv_lora_rank(LATENT)
    writer.add_q_lora_rank(C["q_lora_rank"])
    writer.add_key_length(LATENT + ROPE)
    writer.add_value_length(LATENT)
    writer.add_key_length_mla(NOPE + ROPE)
    writer.add_value_length_mla(VALUE)
    writer.add_rope_dimension_count(ROPE)
    writer.add_rope_freq_base(C["rope_theta"])
    scaling = C["rope_scaling"]
    writer.add_string("deepseek2.rope.scaling.type", "yarn")
    writer.add_rope_scaling_factor(scaling["factor"])
    writer.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
    writer.add_rope_scaling_yarn_log_mul(0.1 * scaling["mscale_all_dim"])
    writer.add_expert_count(C["n_routed_experts"])
    writer.add_expert_used_count(C["num_experts_per_tok"])
    writer.add_expert_shared_count(C["n_shared_experts"])
    writer.add_expert_feed_forward_length(C["moe_intermediate_size"])
    writer.add_expert_weights_scale(C["routed_scaling_factor"])
    writer.add_expert_weights_norm(C["norm_topk_prob"])
    writer.add_uint32("deepseek2.expert_gating_func", 2)
    writer.add_uint32("deepseek2.expert_group_count", C["n_group"])
    writer.add_uint32("deepseek2.expert_group_used_count", C["topk_group"])


def main():
    weights = make_weights()
    write_folder(weights)
    for name, wanted in TYPES.items():
        writer = GGUFWriter(FOLDER / f"{name}.gguf", "deepseek2")
        add_metadata(writer)
        for tensor, values, is_matrix in gguf_tensors(weights):
            kind = wanted if is_matrix else Type.F32
            if kind == Type.Q8_0 and values.shape[-1] % 32 != 0:
                kind = Type.F16
            writer.add_tensor(tensor, quantize(values, kind), raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


if __name__ == "__main__":
    main()
