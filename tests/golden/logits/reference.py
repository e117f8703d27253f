"""A DeepSeek forward pass in NumPy float64, written from the papers (DeepSeek-V2, arXiv 2405.04434; DeepSeek-V3, arXiv
2412.19437; YaRN, arXiv 2309.00071): it checks the reference implementation, and tells how close each routing decision was."""
import math

import numpy as np


def rms_norm(x, weight, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * weight


def yarn_mscale(factor, m):
    return 0.1 * m * math.log(factor) + 1 if factor > 1 else 1.0


def rope_frequencies(c):
    rope, n = c["rope_parameters"], c["qk_rope_head_dim"]
    base = rope["rope_theta"]
    plain = base ** (-np.arange(0, n, 2) / n)
    if rope["rope_type"] == "default":
        return plain
    original = rope["original_max_position_embeddings"]

    def pair_of(rotations):
        return n * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(base))
    low = max(math.floor(pair_of(rope["beta_fast"])), 0)
    high = min(math.ceil(pair_of(rope["beta_slow"])), n - 1)
    ramp = np.clip((np.arange(n // 2) - low) / max(high - low, 0.001), 0, 1)
    return plain / rope["factor"] * ramp + plain * (1 - ramp)


def rotate(x, frequencies):
    """x [tokens, ..., n]: the pairs (2i, 2i+1) turn by position times frequency i."""
    angle = np.arange(x.shape[0])[:, None] * frequencies
    angle = angle.reshape(angle.shape[:1] + (1,) * (x.ndim - 2) + angle.shape[1:])
    even, odd = x[..., 0::2], x[..., 1::2]
    return np.stack([even * np.cos(angle) - odd * np.sin(angle), even * np.sin(angle) + odd * np.cos(angle)], -1).reshape(x.shape)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def silu(x):
    return x / (1 + np.exp(-x))


class Reference:
    def __init__(self, config, weights):
        """config: a plain dict; weights: name -> array, as in the safetensors files."""
        self.c, self.w = config, {k: np.asarray(v, np.float64) for k, v in weights.items()}
        self.v3 = config["model_type"] == "deepseek_v3"
        self.best_of_group = 2 if self.v3 else 1  # how many of its experts score a group
        self.biased_weights = False  # that would be wrong: the bias is for selection only
        self.margin = math.inf  # smallest distance between the last choice and the first that was left out

    def attention(self, h, p):
        c, w, n = self.c, self.w, len(h)
        heads, nope, rope, value, rank = (c[k] for k in ("num_attention_heads", "qk_nope_head_dim", "qk_rope_head_dim",
                                                         "v_head_dim", "kv_lora_rank"))
        if c.get("q_lora_rank"):
            q = rms_norm(h @ w[p + "q_a_proj.weight"].T, w[p + "q_a_layernorm.weight"], c["rms_norm_eps"]) @ w[p + "q_b_proj.weight"].T
        else:
            q = h @ w[p + "q_proj.weight"].T
        q = q.reshape(n, heads, nope + rope)
        latent = h @ w[p + "kv_a_proj_with_mqa.weight"].T
        f = rope_frequencies(c)
        k_pe = rotate(latent[:, rank:], f)
        kv = rms_norm(latent[:, :rank], w[p + "kv_a_layernorm.weight"], c["rms_norm_eps"]) @ w[p + "kv_b_proj.weight"].T
        kv = kv.reshape(n, heads, nope + value)
        scores = np.einsum("qhd,khd->hqk", q[..., :nope], kv[..., :nope]) + np.einsum("qhd,kd->hqk", rotate(q[..., nope:], f), k_pe)
        r = c["rope_parameters"]
        scale = (nope + rope) ** -0.5
        if r["rope_type"] == "yarn":
            scale *= yarn_mscale(r["factor"], r["mscale_all_dim"]) ** 2
        scores = np.where(np.tril(np.ones((n, n), bool)), scores * scale, -np.inf)
        out = np.einsum("hqk,khd->qhd", softmax(scores), kv[..., nope:])
        return out.reshape(n, heads * value) @ w[p + "o_proj.weight"].T

    def ffn(self, x, p):
        w = self.w
        return (silu(x @ w[p + "gate_proj.weight"].T) * (x @ w[p + "up_proj.weight"].T)) @ w[p + "down_proj.weight"].T

    def best(self, scores, n):
        """Indices of the n largest of each row."""
        order = np.argsort(-scores, -1, kind="stable")
        if n < scores.shape[-1]:
            ranked = np.take_along_axis(scores, order, -1)
            with np.errstate(invalid="ignore"):
                gaps = ranked[:, n - 1] - ranked[:, n]
            self.margin = min(self.margin, np.nanmin(gaps))
        return order[:, :n]

    def experts(self, x, p):
        c, w = self.c, self.w
        logits = x @ w[p + "gate.weight"].T
        scores = 1 / (1 + np.exp(-logits)) if self.v3 else softmax(logits)
        selection = scores + w[p + "gate.e_score_correction_bias"] if self.v3 else scores.copy()
        if self.v3 or c["topk_method"] == "group_limited_greedy":
            groups = selection.reshape(len(x), c["n_group"], -1)
            group_scores = np.sort(groups, -1)[..., -self.best_of_group:].sum(-1)
            kept = np.zeros(group_scores.shape, bool)
            np.put_along_axis(kept, self.best(group_scores, c["topk_group"]), True, -1)
            selection = np.where(kept[..., None], groups, -np.inf).reshape(selection.shape)
        chosen = self.best(selection, c["num_experts_per_tok"])
        weights = np.take_along_axis(scores + w[p + "gate.e_score_correction_bias"] if self.biased_weights else scores, chosen, -1)
        if c["norm_topk_prob"]:
            weights = weights / (weights.sum(-1, keepdims=True) + 1e-20)
        weights = weights * c["routed_scaling_factor"]
        y = self.ffn(x, p + "shared_experts.")
        for t in range(len(x)):
            for e, weight in zip(chosen[t], weights[t]):
                y[t] += weight * self.ffn(x[t], f"{p}experts.{e}.")
        return y

    def logits(self, tokens):
        c, w = self.c, self.w
        h = w["model.embed_tokens.weight"][tokens]
        for layer in range(c["num_hidden_layers"]):
            p = f"model.layers.{layer}."
            h = h + self.attention(rms_norm(h, w[p + "input_layernorm.weight"], c["rms_norm_eps"]), p + "self_attn.")
            x = rms_norm(h, w[p + "post_attention_layernorm.weight"], c["rms_norm_eps"])
            h = h + (self.ffn(x, p + "mlp.") if layer < c["first_k_dense_replace"] else self.experts(x, p + "mlp."))
        return rms_norm(h, w["model.norm.weight"], c["rms_norm_eps"]) @ w["lm_head.weight"].T
