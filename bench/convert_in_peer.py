#!/usr/bin/env python3
"""Whether another program reads what mla-convert writes: perplexity in both, and the KL divergence between them.

    bench/convert_in_peer.py --bin build/bin --peer FOLDER     needs numpy; FOLDER has llama-perplexity

Makes small random models with the head sizes of DeepSeek-V3 and GLM-4.7-Flash as Hugging Face folders: BF16, FP8 with block
scales, no q_lora with softmax routing, tiktoken's ranks, layers of multi-token prediction that are left out
(the peer knows no others). No groups of experts: peers differ there.
"""
import argparse
import json
import re
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy

ROOT = Path(__file__).parents[1]
TOKENIZERS = ROOT / "tests/golden/tokenizer"
V3 = {"architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "hidden_act": "silu", "hidden_size": 256,
      "intermediate_size": 512, "moe_intermediate_size": 256, "n_routed_experts": 8, "num_experts_per_tok": 3, "n_shared_experts": 1,
      "first_k_dense_replace": 1, "moe_layer_freq": 1, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 4,
      "kv_lora_rank": 512, "q_lora_rank": 256, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
      "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
      "scoring_func": "sigmoid", "topk_method": "noaux_tc", "n_group": 1, "topk_group": 1, "norm_topk_prob": True,
      "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096, "beta_fast": 32, "beta_slow": 1,
                       "mscale": 1.0, "mscale_all_dim": 1.0},
      "routed_scaling_factor": 2.5, "num_nextn_predict_layers": 0, "tie_word_embeddings": False, "bos_token_id": 0, "eos_token_id": 1}
V2 = V3 | {"architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2", "q_lora_rank": None, "scoring_func": "softmax",
           "topk_method": "greedy", "norm_topk_prob": False, "routed_scaling_factor": 1.0,
           "num_hidden_layers": 27}  # by which the peer knows a model without q_lora
GLM = V3 | {"architectures": ["Glm4MoeLiteForCausalLM"], "model_type": "glm4_moe_lite", "num_attention_heads": 20,
            "num_key_value_heads": 20, "qk_nope_head_dim": 192, "v_head_dim": 256, "rope_theta": 1000000.0, "routed_scaling_factor": 1.8}
del GLM["rope_scaling"]
# Name: config.json, tokenizer, FP8.
CASES = {"v3": (V3, "llm", False), "v3-fp8": (V3, "llm", True), "v2-no-q_lora": (V2, "llm", False), "kimi-k2": (V3, "kimi", False),
         "v3-mtp": (V3 | {"num_nextn_predict_layers": 1}, "llm", False), "glm-4.7-flash": (GLM, "glm4", False)}
N_VOCAB = 2048


def bfloat16(values):
    bits = values.astype(numpy.float32).view(numpy.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(numpy.uint16)


def e4m3(values):
    """The nearest codes; all magnitudes from 0 to 448 in order are the codes 0 to 126."""
    codes = numpy.arange(127)
    exponent, mantissa = codes >> 3, codes & 7
    magnitudes = numpy.where(exponent == 0, mantissa * 2.0**-9, (8 + mantissa) * 2.0 ** (exponent - 10))
    nearest = numpy.searchsorted((magnitudes[1:] + magnitudes[:-1]) / 2, abs(values))
    return (nearest + numpy.where(values < 0, 128, 0)).astype(numpy.uint8)


class Weights:
    def __init__(self, fp8):
        self.random, self.fp8, self.tensors = numpy.random.default_rng(5), fp8, {}

    def add(self, name, values, dtype="BF16"):
        data = bfloat16(values) if dtype == "BF16" else values
        self.tensors[name] = (dtype, list(values.shape), data.tobytes())

    def matrix(self, name, rows, columns, gain=1.0, keep=False):
        values = (self.random.standard_normal((rows, columns)) * gain / columns**0.5).astype(numpy.float32)
        if not self.fp8 or keep:
            return self.add(name + ".weight", values)
        padded = numpy.pad(values, ((0, -rows % 128), (0, -columns % 128)))
        scales = abs(padded.reshape(padded.shape[0] // 128, 128, -1, 128)).max(axis=(1, 3)) / 448
        spread = scales.repeat(128, axis=0).repeat(128, axis=1)[:rows, :columns]
        self.add(name + ".weight", e4m3(values / spread), "F8_E4M3")
        self.add(name + ".weight_scale_inv", scales.astype(numpy.float32), "F32")

    def norm(self, name, n):
        self.add(name + ".weight", 1 + 0.1 * self.random.standard_normal(n))

    def ffn(self, at, width, inner):
        for part, rows, columns in (("gate", inner, width), ("up", inner, width), ("down", width, inner)):
            self.matrix(f"{at}{part}_proj", rows, columns)

    def layer(self, at, c, dense):
        d, heads, nope, rope = c["hidden_size"], c["num_attention_heads"], c["qk_nope_head_dim"], c["qk_rope_head_dim"]
        attention, latent = at + "self_attn.", c["kv_lora_rank"]
        if c["q_lora_rank"]:
            self.matrix(attention + "q_a_proj", c["q_lora_rank"], d)
            self.norm(attention + "q_a_layernorm", c["q_lora_rank"])
        self.matrix(attention + ("q_b_proj" if c["q_lora_rank"] else "q_proj"), heads * (nope + rope), c["q_lora_rank"] or d)
        self.matrix(attention + "kv_a_proj_with_mqa", latent + rope, d)
        self.norm(attention + "kv_a_layernorm", latent)
        self.matrix(attention + "kv_b_proj", heads * (nope + c["v_head_dim"]), latent)
        self.matrix(attention + "o_proj", d, heads * c["v_head_dim"])
        for name in ("input_layernorm", "post_attention_layernorm"):
            self.norm(at + name, d)
        if dense:
            return self.ffn(at + "mlp.", d, c["intermediate_size"])
        self.matrix(at + "mlp.gate", c["n_routed_experts"], d, keep=True)
        if c["scoring_func"] == "sigmoid":
            bias = 0.2 * self.random.standard_normal(c["n_routed_experts"])
            self.add(at + "mlp.gate.e_score_correction_bias", bias.astype(numpy.float32), "F32")
        for expert in range(c["n_routed_experts"]):
            self.ffn(f"{at}mlp.experts.{expert}.", d, c["moe_intermediate_size"])
        self.ffn(at + "mlp.shared_experts.", d, c["moe_intermediate_size"] * c["n_shared_experts"])

    def save(self, path):
        header, place = {}, 0
        for name, (dtype, shape, data) in self.tensors.items():
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [place, place + len(data)]}
            place += len(data)
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in self.tensors.values()))


def write_folder(folder, config, tokenizer, fp8):
    shutil.copytree(TOKENIZERS / tokenizer, folder)
    config = config | {"vocab_size": N_VOCAB}
    if fp8:
        config["quantization_config"] = {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
                                         "weight_block_size": [128, 128]}
    (folder / "config.json").write_text(json.dumps(config))
    weights, d, n_layers = Weights(fp8), config["hidden_size"], config["num_hidden_layers"]
    weights.matrix("model.embed_tokens", N_VOCAB, d, 16.0, keep=True)
    for layer in range(n_layers + config["num_nextn_predict_layers"]):
        at = f"model.layers.{layer}."
        weights.layer(at, config, layer < config["first_k_dense_replace"])
        if layer >= n_layers:
            weights.matrix(at + "eh_proj", d, 2 * d)
            for name in ("enorm", "hnorm", "shared_head.norm"):
                weights.norm(at + name, d)
            weights.matrix(at + "embed_tokens", N_VOCAB, d, keep=True)
            weights.matrix(at + "shared_head.head", N_VOCAB, d, keep=True)
    weights.norm("model.norm", d)
    weights.matrix("lm_head", N_VOCAB, d, 2.0, keep=True)
    weights.save(folder / "model.safetensors")


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout, done.stderr


def compare(flags, folder, model, text):
    """Perplexity here and there, KL divergence, share of the same first choices."""
    base = folder / "base"
    here = json.loads(run(flags.bin / "mla-perplexity", "-m", model, "-f", text, "-c", 512, "--kl-divergence-base", base, "--json")[0])
    there = "".join(run(flags.peer / "llama-perplexity", "-m", model, "-c", 512, "-mla", 1, "-t", 2, "--kl-divergence-base", base,
                        "--kl-divergence"))
    found = {key: float(re.search(pattern, there)[1]) for key, pattern in
             (("ppl", r"Mean PPL\(Q\)\s*:\s*([\d.]+)"), ("kl", r"Mean\s+KLD:\s*([-\d.]+)"), ("top", r"Same top p:\s*([\d.]+)"))}
    return here["perplexity"]["value"], found["ppl"], found["kl"], found["top"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--peer", type=Path, required=True)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--types", default="bf16,f16,q8_0,q4_k_m")
    flags = parser.parse_args()
    print("| folder | type | perplexity here | there | KL divergence | same first choice |\n|---|---|---|---|---|---|")
    for case in flags.cases.split(","):
        config, tokenizer, fp8 = CASES[case]
        with tempfile.TemporaryDirectory() as temporary:
            place = Path(temporary)
            (place / "text").write_text((ROOT / "examples/models/heldout.txt").read_text()[:20000])
            write_folder(place / "hf", config, tokenizer, fp8)
            for kind in flags.types.split(","):
                run(flags.bin / "mla-convert", place / "hf", "-o", place / "m.gguf", "--type", kind)
                here, there, kl, top = compare(flags, place, place / "m.gguf", place / "text")
                print(f"| {case} | {kind.upper()} | {here:.3f} | {there:.3f} | {kl:.6f} | {top:.1f} % |", flush=True)


main()
