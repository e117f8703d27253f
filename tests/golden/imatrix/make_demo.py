#!/usr/bin/env python3
"""Makes demo.gguf: what the matrices of the demo model are multiplied with, over the 300 tokens of ../logits/demo, summed in float64 by
../logits/reference.py, which is checked against transformers. Written by the gguf package.

    make_demo.py [TOKENS.txt OUT.gguf]
"""
import sys
from pathlib import Path

import gguf
import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "logits"))
import reference  # noqa: E402

MODEL = HERE.parents[2] / "examples/models/demo-f16.gguf"
NAMES = {"self_attn.q_a_proj": "attn_q_a", "self_attn.q_b_proj": "attn_q_b", "self_attn.kv_a_proj_with_mqa": "attn_kv_a_mqa",
         "self_attn.kv_b_proj": "attn_kv_b", "self_attn.o_proj": "attn_output", "mlp.gate": "ffn_gate_inp",
         **{f"mlp.{n}_proj": f"ffn_{n}" for n in ("gate", "up", "down")},
         **{f"mlp.shared_experts.{n}_proj": f"ffn_{n}_shexp" for n in ("gate", "up", "down")}}
NORMS = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_a_layernorm": "attn_q_a_norm",
         "self_attn.kv_a_layernorm": "attn_kv_a_norm"}


class Spy:
    """A matrix of which only `h @ matrix.T` is used, and which adds up what it is used on."""
    __array_ufunc__ = None

    def __init__(self, collector, name, matrix, n_matrices, values):
        self.collector, self.name, self.matrix, self.n_matrices, self.values = collector, name, matrix, n_matrices, values
        self.shape, self.T = values.shape, self

    def __rmatmul__(self, x):
        self.collector.add(self.name, self.matrix, self.n_matrices, x)
        return x @ self.values.T


class Collector(reference.Reference):
    def __init__(self, config, weights, names):
        super().__init__(config, weights)
        self.sums, self.counts = {}, {}
        self.w = {k: Spy(self, *names[k], v) if k in names else v for k, v in self.w.items()}

    def add(self, name, matrix, n_matrices, x):
        x = np.atleast_2d(x)
        sums = self.sums.setdefault(name, np.zeros((n_matrices, x.shape[1])))
        counts = self.counts.setdefault(name, np.zeros(n_matrices))
        sums[matrix] += (x * x).sum(0)
        counts[matrix] += len(x)

    def attention(self, h, p):
        """Also adds up what k_b and v_b are multiplied with in the absorbed form: q_nope, and the latents weighted by the softmax."""
        c, kept = self.c, {}
        heads, nope, rope, rank = (c[k] for k in ("num_attention_heads", "qk_nope_head_dim", "qk_rope_head_dim", "kv_lora_rank"))
        softmax = reference.softmax

        def keep(scores):
            kept["weights"] = softmax(scores)
            return kept["weights"]
        reference.softmax = keep
        out = super().attention(h, p)
        reference.softmax = softmax
        w = {k: getattr(v, "values", v) for k, v in self.w.items()}
        q = reference.rms_norm(h @ w[p + "q_a_proj.weight"].T, w[p + "q_a_layernorm.weight"], c["rms_norm_eps"]) @ w[p + "q_b_proj.weight"].T
        q = q.reshape(len(h), heads, nope + rope)
        latent = reference.rms_norm((h @ w[p + "kv_a_proj_with_mqa.weight"].T)[:, :rank], w[p + "kv_a_layernorm.weight"], c["rms_norm_eps"])
        layer = p.split(".")[2]
        for head in range(heads):
            self.add(f"blk.{layer}.attn_k_b.weight", head, heads, q[:, head, :nope])
            self.add(f"blk.{layer}.attn_v_b.weight", head, heads, kept["weights"][head] @ latent)
        return out


def read_model():
    reader = gguf.GGUFReader(MODEL)

    def key(name, default=None):
        field = reader.fields.get("deepseek2." + name)
        return default if field is None else field.contents()
    config = {"model_type": "deepseek_v3", "num_hidden_layers": key("block_count"), "first_k_dense_replace": key("leading_dense_block_count"),
              "num_attention_heads": key("attention.head_count"), "q_lora_rank": key("attention.q_lora_rank"), "kv_lora_rank": key("attention.kv_lora_rank"),
              "qk_rope_head_dim": key("rope.dimension_count"), "v_head_dim": key("attention.value_length_mla"),
              "qk_nope_head_dim": key("attention.key_length_mla") - key("rope.dimension_count"), "rms_norm_eps": key("attention.layer_norm_rms_epsilon"),
              "rope_parameters": {"rope_type": "default", "rope_theta": key("rope.freq_base")}, "n_group": key("expert_group_count"),
              "topk_group": key("expert_group_used_count"), "num_experts_per_tok": key("expert_used_count"), "norm_topk_prob": key("expert_weights_norm"),
              "routed_scaling_factor": key("expert_weights_scale"), "n_routed_experts": key("expert_count")}
    tensors = {t.name: np.array(t.data, np.float64) for t in reader.tensors}
    return config, tensors


def published(config, tensors):
    """The tensors under their published names, and what each matrix is called in an importance matrix."""
    weights, names = {"model.embed_tokens.weight": tensors["token_embd.weight"], "model.norm.weight": tensors["output_norm.weight"],
                      "lm_head.weight": tensors["output.weight"]}, {"lm_head.weight": ("output.weight", 0, 1)}
    for layer in range(config["num_hidden_layers"]):
        to, blk = f"model.layers.{layer}.", f"blk.{layer}."
        k_b, v_b = tensors[blk + "attn_k_b.weight"], tensors[blk + "attn_v_b.weight"]  # [heads, rank, nope], [heads, value, rank]
        tensors[blk + "attn_kv_b.weight"] = np.concatenate([k_b.transpose(0, 2, 1), v_b], 1).reshape(-1, v_b.shape[-1])
        for name, short in {**NAMES, **NORMS}.items():
            if (tensor := tensors.get(blk + short + ".weight")) is not None:
                weights[to + name + ".weight"] = tensor
                if name in NAMES:
                    names[to + name + ".weight"] = (blk + short + ".weight", 0, 1)
        if layer < config["first_k_dense_replace"]:
            continue
        weights[to + "mlp.gate.e_score_correction_bias"] = tensors[blk + "exp_probs_b.bias"]
        n = config["n_routed_experts"]
        for part in ("gate", "up", "down"):
            for expert in range(n):
                weights[to + f"mlp.experts.{expert}.{part}_proj.weight"] = tensors[blk + f"ffn_{part}_exps.weight"][expert]
                names[to + f"mlp.experts.{expert}.{part}_proj.weight"] = (blk + f"ffn_{part}_exps.weight", expert, n)
    return weights, names


def write(path, collector, n_tokens):
    writer = gguf.GGUFWriter(path, arch="")
    writer.kv_data[0].clear()
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", ["tests/golden/logits/demo/tokens.txt"])
    writer.add_uint32("imatrix.chunk_count", 1)
    writer.add_uint32("imatrix.chunk_size", n_tokens)
    for name, sums in collector.sums.items():
        writer.add_tensor(name + ".in_sum2", sums.astype(np.float32))
        writer.add_tensor(name + ".counts", collector.counts[name].astype(np.float32)[:, None])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    tokens_file, out = sys.argv[1:] or (HERE.parent / "logits/demo/tokens.txt", HERE / "demo.gguf")
    tokens = [int(t) for t in Path(tokens_file).read_text().split()]
    config, tensors = read_model()
    collector = Collector(config, *published(config, tensors))
    logits = collector.logits(np.array(tokens))
    write(out, collector, len(tokens))
    golden = HERE.parent / "logits/demo/logits.npy"
    if len(sys.argv) == 1:
        expected = np.load(golden)
        print("logits against transformers:", np.abs(logits[9::10] - expected).max() / np.abs(expected).max())
    print(len(collector.sums), "entries; experts never used:", {k: [int(i) for i in np.flatnonzero(v == 0)] for k, v in collector.counts.items() if (v == 0).any()})


if __name__ == "__main__":
    main()
