#!/usr/bin/env python3
"""Makes the logits that tests/engine/golden_test.cpp compares with, from Hugging Face transformers in float32.

usage: make_golden.py [CASE ...]      without names: all

Each case is a small random model (config.json, bfloat16 safetensors), 300 tokens and their logits. The seed is the first
whose routing decisions are all clearer than MARGIN, so that rounding can't flip one. reference.py, in float64, must agree.
The case `demo` reads the model that ships with the source and keeps some rows of its logits, not its weights.
"""
import json
import pathlib
import shutil
import sys

import numpy as np
import safetensors
import torch
import transformers
from transformers import DeepseekV2Config, DeepseekV2ForCausalLM, DeepseekV3Config, DeepseekV3ForCausalLM

from reference import Reference

HERE = pathlib.Path(__file__).parent
DEMO = HERE.parents[2] / "examples/models/demo-f16.gguf"
N_TOKENS, MARGIN = 300, 1e-4


def yarn(mscale, original, factor=40.0):
    return {"rope_type": "yarn", "rope_theta": 10000.0, "factor": factor, "original_max_position_embeddings": original,
            "beta_fast": 32.0, "beta_slow": 1.0, "mscale": mscale, "mscale_all_dim": mscale}


PLAIN = {"rope_type": "default", "rope_theta": 10000.0}
COMMON = dict(vocab_size=96, hidden_size=64, num_hidden_layers=3, first_k_dense_replace=1, intermediate_size=96,
              moe_intermediate_size=32, num_attention_heads=4, num_key_value_heads=4, q_lora_rank=48, kv_lora_rank=32,
              qk_nope_head_dim=24, qk_rope_head_dim=16, v_head_dim=32, n_routed_experts=8, n_shared_experts=1,
              num_experts_per_tok=3, n_group=4, topk_group=2, routed_scaling_factor=2.5, norm_topk_prob=True,
              max_position_embeddings=4096, rms_norm_eps=1e-6, tie_word_embeddings=False, rope_parameters=yarn(1.0, 64))
V2 = dict(COMMON, n_shared_experts=2, norm_topk_prob=False, topk_method="group_limited_greedy", routed_scaling_factor=4.0,
          rope_parameters=yarn(0.707, 64))
CASES = {
    "v2lite": (DeepseekV2Config, dict(V2, q_lora_rank=None, topk_method="greedy", n_group=1, topk_group=1, routed_scaling_factor=1.0)),
    "v2": (DeepseekV2Config, dict(V2, num_hidden_layers=2)),
    "v3": (DeepseekV3Config, dict(COMMON, n_routed_experts=16, moe_intermediate_size=16, num_experts_per_tok=4)),
    "v3_odd": (DeepseekV3Config, dict(COMMON, num_attention_heads=5, num_key_value_heads=5, qk_nope_head_dim=20, v_head_dim=27,
                                      rope_parameters=PLAIN)),
    "heads20": (DeepseekV3Config, dict(COMMON, hidden_size=32, num_hidden_layers=1, first_k_dense_replace=0, num_attention_heads=20, num_key_value_heads=20,
                                       kv_lora_rank=16, v_head_dim=256, n_group=1, topk_group=1, rope_parameters=PLAIN)),
    "v192": (DeepseekV3Config, dict(COMMON, v_head_dim=192, q_lora_rank=None, num_hidden_layers=2)),
    "longctx": (DeepseekV3Config, dict(COMMON, rope_parameters=yarn(1.0, 16), num_hidden_layers=2)),
}
# Cut into files with an index, as published models are.
SHARDED = {"v3"}


def randomise(model, router):
    """Weights that keep the activations' size from layer to layer, in values that bfloat16 holds; `router`: the spread of its scores."""
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        if name.endswith("inv_freq"):
            continue
        if name.endswith("e_score_correction_bias"):
            value.data.normal_(0, 0.1)
        elif "norm" in name:
            value.data.normal_(1, 0.1)
        elif "embed_tokens" in name:
            value.data.normal_(0, 1)
        else:
            value.data.normal_(0, (router if "mlp.gate." in name else 1.5) * value.shape[-1] ** -0.5)
        value.data = value.data.bfloat16().float()
    return model


def random_model(config_class, options, seed):
    torch.manual_seed(seed)
    config = config_class(**options)
    router = 3 if config_class is DeepseekV3Config else 1  # a wide softmax has many scores near 0, too close to each other
    return randomise((DeepseekV3ForCausalLM if config_class is DeepseekV3Config else DeepseekV2ForCausalLM)(config).eval(), router)


def reference_of(model):
    c = model.config.to_dict()
    weights = {}
    for name, value in model.state_dict().items():
        if name.endswith("mlp.experts.gate_up_proj"):
            for e, both in enumerate(value):
                gate, up = both.chunk(2)
                weights[name.replace("gate_up_proj", f"{e}.gate_proj.weight")] = gate.numpy()
                weights[name.replace("gate_up_proj", f"{e}.up_proj.weight")] = up.numpy()
        elif name.endswith("mlp.experts.down_proj"):
            for e, down in enumerate(value):
                weights[name.replace("down_proj", f"{e}.down_proj.weight")] = down.numpy()
        else:
            weights[name] = value.float().numpy()
    return Reference(c, weights)


@torch.no_grad()
def logits_of(model, tokens):
    return model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0].float().numpy()


def compare(name, seed, reference, expected, logits):
    error = np.abs(expected - logits).max() / np.abs(expected).max()
    print(f"{name}: seed {seed}, smallest routing margin {reference.margin:.1e}, largest logit {np.abs(logits).max():.2f}, "
          f"transformers against float64: {error:.1e} of it")
    assert error < 2e-5


def write(folder, tokens, logits):
    np.save(folder / "logits.npy", np.ascontiguousarray(logits, "<f4"))
    (folder / "tokens.txt").write_text(" ".join(map(str, tokens)) + "\n")


def show_sensitivity(model, tokens, expected):
    """How far the logits would move, as a share of the largest, if one thing were wrong: the test must be able to fail."""
    config = model.config.to_dict()
    rope, n_group, v3 = config["rope_parameters"], config.get("n_group") or 1, config["model_type"] == "deepseek_v3"

    def with_config(**options):
        return lambda wrong: wrong.c.update(options)
    mistakes = {"weights normalised or not": with_config(norm_topk_prob=not config["norm_topk_prob"])}
    if n_group > 1:
        mistakes["no groups"] = with_config(topk_group=n_group)
        mistakes[f"groups scored as in {'V2' if v3 else 'V3'}"] = lambda wrong: setattr(wrong, "best_of_group", 1 if v3 else 2)
    if v3:
        mistakes["no routing bias"] = lambda wrong: wrong.w.update({k: 0 * v for k, v in wrong.w.items() if k.endswith("correction_bias")})
        mistakes["bias in the weights"] = lambda wrong: setattr(wrong, "biased_weights", True)
    if rope["rope_type"] == "yarn":
        mistakes["no mscale²"] = with_config(rope_parameters={**rope, "mscale_all_dim": 0.0})
        mistakes["no YaRN"] = with_config(rope_parameters=PLAIN)
    shares = []
    for what, change in mistakes.items():
        wrong = reference_of(model)
        change(wrong)
        moved = np.abs(wrong.logits(np.array(tokens)) - expected).max() / np.abs(expected).max()
        shares.append(f"{what} {moved:.1g}")
    print("    if wrong: " + ", ".join(shares))


def clear_case(name, draw):
    """(model, tokens, logits) of the first seed whose routing is clear; draw(seed) gives model and tokens."""
    for seed in range(1, 500):
        model, tokens = draw(seed)
        reference = reference_of(model)
        expected = reference.logits(np.array(tokens))
        if reference.margin > MARGIN:
            logits = logits_of(model, tokens)
            compare(name, seed, reference, expected, logits)
            show_sensitivity(model, tokens, expected)
            return model, tokens, logits
    raise SystemExit(f"{name}: no seed with a routing margin above {MARGIN}")


def make_case(name):
    config_class, options = CASES[name]

    def draw(seed):
        model = random_model(config_class, options, seed)
        return model, torch.randint(options["vocab_size"], (N_TOKENS,)).tolist()
    model, tokens, logits = clear_case(name, draw)
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model.bfloat16().save_pretrained(folder, max_shard_size="60KB" if name in SHARDED else "5GB")
    (folder / "generation_config.json").unlink(missing_ok=True)
    write(folder, tokens, logits)


def demo_model():
    sys.path.insert(0, str(DEMO.parent))
    from check_export import state_dict
    from demo_model import config
    model = DeepseekV3ForCausalLM(config()).eval()
    model.load_state_dict(state_dict(DEMO, model.config))
    return model


def make_demo():
    model = demo_model()

    def draw(seed):
        torch.manual_seed(seed)
        return model, [0] + torch.randint(3, model.config.vocab_size, (N_TOKENS - 1,)).tolist()
    _, tokens, logits = clear_case("demo", draw)
    folder = HERE / "demo"
    folder.mkdir(exist_ok=True)
    write(folder, tokens, logits[9::10])  # rows 9, 19, … 299


def main():
    for name in sys.argv[1:] or [*CASES, "demo"]:
        make_demo() if name == "demo" else make_case(name)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "safetensors": safetensors.__version__, "numpy": np.__version__}
    (HERE / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


if __name__ == "__main__":
    main()
