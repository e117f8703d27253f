#!/usr/bin/env python3
"""Write the trained demo model as F16 GGUF, in the layout of llama.cpp's converter.

usage: export.py HF_FOLDER OUT.gguf

HF_FOLDER is what train.py left: config.json, model.safetensors, tokenizer.json, tokenizer_config.json.
The layout is mainline's multi-query form of MLA: kv_b_proj is split into a transposed k_b and a v_b per
head.  Rotary dimensions stay as they are: both sides keep them as interleaved pairs.
"""
import json
import sys
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

from demo_model import kept_f32

NAMES = {  # checkpoint -> GGUF, inside a layer
    "input_layernorm.weight": "attn_norm.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "self_attn.q_a_proj.weight": "attn_q_a.weight",
    "self_attn.q_a_layernorm.weight": "attn_q_a_norm.weight",
    "self_attn.q_b_proj.weight": "attn_q_b.weight",
    "self_attn.kv_a_proj_with_mqa.weight": "attn_kv_a_mqa.weight",
    "self_attn.kv_a_layernorm.weight": "attn_kv_a_norm.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
    "mlp.gate.weight": "ffn_gate_inp.weight",
    "mlp.gate.e_score_correction_bias": "exp_probs_b.bias",
    "mlp.shared_experts.gate_proj.weight": "ffn_gate_shexp.weight",
    "mlp.shared_experts.up_proj.weight": "ffn_up_shexp.weight",
    "mlp.shared_experts.down_proj.weight": "ffn_down_shexp.weight",
}
TOP = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
       "lm_head.weight": "output.weight"}


def tensors(state, config):
    """(GGUF name, values, keep in F32) of every tensor; the inverse lives in check_export.py."""
    heads, nope = config["num_attention_heads"], config["qk_nope_head_dim"]
    for name, gguf_name in TOP.items():
        yield gguf_name, state[name], kept_f32(name)
    for layer in range(config["num_hidden_layers"]):
        prefix, block = f"model.layers.{layer}.", f"blk.{layer}."
        for name, gguf_name in NAMES.items():
            if prefix + name in state:
                yield block + gguf_name, state[prefix + name], kept_f32(name)
        kv_b = state[prefix + "self_attn.kv_b_proj.weight"]
        kv_b = kv_b.reshape(heads, -1, kv_b.shape[-1])
        yield block + "attn_k_b.weight", kv_b[:, :nope].transpose(0, 2, 1), False
        yield block + "attn_v_b.weight", kv_b[:, nope:], False
        if layer >= config["first_k_dense_replace"]:
            for part in "gate", "up", "down":
                experts = [state[f"{prefix}mlp.experts.{e}.{part}_proj.weight"]
                           for e in range(config["n_routed_experts"])]
                yield f"{block}ffn_{part}_exps.weight", np.stack(experts), False


def add_hyperparameters(w, c):
    w.add_name("libmla demo")
    w.add_description("A 4-million-parameter DeepSeek-V3 trained on the King James Bible, Jane Austen's novels "
                      "and Moby-Dick; for demonstrations and tests")
    w.add_license("cc0-1.0")
    w.add_languages(["en"])
    w.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    w.add_block_count(c["num_hidden_layers"])
    w.add_context_length(c["max_position_embeddings"])
    w.add_embedding_length(c["hidden_size"])
    w.add_feed_forward_length(c["intermediate_size"])
    w.add_head_count(c["num_attention_heads"])
    w.add_head_count_kv(1)  # to the file's readers MLA is multi-query attention over the latent
    w.add_key_length(c["kv_lora_rank"] + c["qk_rope_head_dim"])
    w.add_value_length(c["kv_lora_rank"])
    w.add_key_length_mla(c["qk_nope_head_dim"] + c["qk_rope_head_dim"])
    w.add_value_length_mla(c["v_head_dim"])
    w.add_q_lora_rank(c["q_lora_rank"])
    w.add_kv_lora_rank(c["kv_lora_rank"])
    w.add_layer_norm_rms_eps(c["rms_norm_eps"])
    w.add_rope_freq_base(c["rope_parameters"]["rope_theta"])
    w.add_rope_dimension_count(c["qk_rope_head_dim"])
    w.add_vocab_size(c["vocab_size"])
    w.add_leading_dense_block_count(c["first_k_dense_replace"])
    w.add_expert_feed_forward_length(c["moe_intermediate_size"])
    w.add_expert_count(c["n_routed_experts"])
    w.add_expert_used_count(c["num_experts_per_tok"])
    w.add_expert_shared_count(c["n_shared_experts"])
    w.add_expert_group_count(c["n_group"])
    w.add_expert_group_used_count(c["topk_group"])
    w.add_expert_weights_scale(c["routed_scaling_factor"])
    w.add_expert_weights_norm(c["norm_topk_prob"])
    w.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)


def add_tokenizer(w, folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    special = {t["id"] for t in tokenizer["added_tokens"] if t["special"]}
    tokens = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].get)
    kinds = [gguf.TokenType.CONTROL if i in special else gguf.TokenType.NORMAL for i in range(len(tokens))]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("deepseek-v3")
    w.add_token_list(tokens)
    w.add_token_types(kinds)
    w.add_token_merges([" ".join(m) for m in tokenizer["model"]["merges"]])
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    w.add_bos_token_id(tokens.index(settings["bos_token"]))
    w.add_eos_token_id(tokens.index(settings["eos_token"]))
    w.add_pad_token_id(tokens.index(settings["pad_token"]))
    w.add_add_bos_token(settings["add_bos_token"])
    w.add_add_eos_token(settings["add_eos_token"])
    w.add_chat_template(settings["chat_template"])


def main():
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(out, "deepseek2")
    add_hyperparameters(writer, config)
    add_tokenizer(writer, folder)
    for name, values, f32 in tensors(load_file(folder / "model.safetensors"), config):
        values = np.ascontiguousarray(values, np.float32 if f32 else np.float16)
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
