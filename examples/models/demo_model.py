"""What train.py, export.py and report.py share: the model's shape and how its loss is measured."""
import json
import math

import torch
import torch.nn.functional as F
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

BOS, EOS = 0, 1


def config():
    """All of DeepSeek-V3's parts at toy size: q-LoRA, grouped sigmoid routing, dense layers, a shared expert."""
    return DeepseekV3Config(
        vocab_size=2048, hidden_size=256, num_hidden_layers=3, first_k_dense_replace=2,
        intermediate_size=256, num_attention_heads=4, num_key_value_heads=4,
        q_lora_rank=256, kv_lora_rank=256, qk_nope_head_dim=32, qk_rope_head_dim=32, v_head_dim=64,
        moe_intermediate_size=256, n_routed_experts=8, n_shared_experts=1, n_group=4, topk_group=2,
        num_experts_per_tok=3, norm_topk_prob=True, routed_scaling_factor=2.5,
        max_position_embeddings=1024, rms_norm_eps=1e-6, rope_interleave=True,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=False, num_nextn_predict_layers=0,
        bos_token_id=BOS, eos_token_id=EOS, initializer_range=0.02, dtype="float32")


def kept_f32(name):
    """Tensors that the GGUF file keeps in F32, as llama.cpp's converter does."""
    return "norm" in name or name.endswith(("mlp.gate.weight", "e_score_correction_bias"))


def round_to_f16(model):
    """Give the matrices the values that the F16 file will hold."""
    state = model.state_dict()
    model.load_state_dict({k: v if kept_f32(k) else v.half().float() for k, v in state.items()})


def windows(tokens, context):
    """(inputs, targets) of a text: pieces of `context` tokens, each predicted from <bos> and its own start."""
    for start in range(0, len(tokens), context):
        piece = tokens[start:start + context]
        yield [BOS] + piece[:-1], piece


@torch.no_grad()
def loss_of(model, texts, tokenizer, context=512, batch=8):
    """Held-out figures over a list of texts, no piece reaching across two of them."""
    pieces = [w for t in texts for w in windows(tokenizer.encode(t, add_special_tokens=False).ids, context)]
    pieces.sort(key=lambda w: len(w[0]))
    total = count = 0
    was_training = model.training
    model.eval()
    for i in range(0, len(pieces), batch):
        group = pieces[i:i + batch]
        longest = max(len(x) for x, _ in group)
        # Right padding needs no mask: attention is causal and padded targets are left out.
        x = torch.tensor([x + [EOS] * (longest - len(x)) for x, _ in group])
        y = torch.tensor([y + [-100] * (longest - len(y)) for _, y in group])
        logits = model(input_ids=x, use_cache=False).logits.float()
        total += F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum").item()
        count += (y >= 0).sum().item()
    model.train(was_training)
    size = sum(len(t.encode()) for t in texts)
    return {"loss": total / count, "perplexity": math.exp(total / count),
            "bits_per_byte": total / math.log(2) / size, "tokens": count, "bytes": size}
