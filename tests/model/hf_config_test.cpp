// config.json as models publish it (the keys that matter, and some that don't).
#include "catch.hpp"
#include "model/hf_config.hpp"
#include "scratch_folder.hpp"

using namespace mla;

namespace {

model::HfModel read(const std::string& json) {
  const ScratchFolder folder;
  write_bytes(folder / "config.json", json);
  return model::read_hf_config(folder.path());
}

}  // namespace

TEST_CASE("DeepSeek-V3: FP8, eight groups, a layer of multi-token prediction") {
  const model::HfModel m = read(R"({"architectures": ["DeepseekV3ForCausalLM"], "attention_bias": false, "ep_size": 1, "first_k_dense_replace": 3,
    "hidden_act": "silu", "hidden_size": 7168, "intermediate_size": 18432, "kv_lora_rank": 512, "max_position_embeddings": 163840, "model_type": "deepseek_v3",
    "moe_intermediate_size": 2048, "moe_layer_freq": 1, "n_group": 8, "n_routed_experts": 256, "n_shared_experts": 1, "norm_topk_prob": true,
    "num_attention_heads": 128, "num_experts_per_tok": 8, "num_hidden_layers": 61, "num_key_value_heads": 128, "num_nextn_predict_layers": 1,
    "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "rms_norm_eps": 1e-06, "rope_theta": 10000, "routed_scaling_factor": 2.5,
    "quantization_config": {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8", "weight_block_size": [128, 128]},
    "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0, "original_max_position_embeddings": 4096, "type": "yarn"},
    "scoring_func": "sigmoid", "tie_word_embeddings": false, "topk_group": 4, "topk_method": "noaux_tc", "v_head_dim": 128, "vocab_size": 129280})");
  CHECK(m.is_fp8);
  CHECK(m.config.n_mtp_layers == 1);
  CHECK(m.config.shape.n_layers == 61);
  CHECK(m.config.n_dense_layers == 3);
  CHECK(m.config.router.n_groups == 8);
  CHECK(m.config.router.n_groups_used == 4);
  CHECK(m.config.rope.factor == 40);
}

TEST_CASE("Kimi-K2: 384 experts in one group, a YaRN of its own") {
  const model::HfModel m = read(R"({"architectures": ["DeepseekV3ForCausalLM"], "model_type": "kimi_k2", "auto_map": {"AutoConfig": "x"}, "first_k_dense_replace": 1,
    "hidden_act": "silu", "hidden_size": 7168, "intermediate_size": 18432, "kv_lora_rank": 512, "max_position_embeddings": 131072, "moe_intermediate_size": 2048,
    "n_group": 1, "n_routed_experts": 384, "n_shared_experts": 1, "norm_topk_prob": true, "num_attention_heads": 64, "num_experts_per_tok": 8,
    "num_hidden_layers": 61, "num_nextn_predict_layers": 0, "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "rms_norm_eps": 1e-06,
    "quantization_config": {"fmt": "e4m3", "quant_method": "fp8", "weight_block_size": [128, 128]}, "rope_theta": 50000.0, "routed_scaling_factor": 2.827,
    "rope_scaling": {"beta_fast": 1.0, "beta_slow": 1.0, "factor": 32.0, "mscale": 1.0, "mscale_all_dim": 1.0, "original_max_position_embeddings": 4096, "type": "yarn"},
    "scoring_func": "sigmoid", "topk_group": 1, "topk_method": "noaux_tc", "v_head_dim": 128, "vocab_size": 163840})");
  CHECK(m.is_fp8);
  CHECK(m.config.router.n_experts == 384);
  CHECK(m.config.router.n_groups == 1);
  CHECK(m.config.router.gating == moe::Gating::sigmoid);
  CHECK(m.config.rope.beta_fast == 1.0);
  CHECK(m.config.rope.base == 50000);
}

TEST_CASE("GLM-4.7-Flash: what it leaves out is V3's routing, one dense layer, its own scale") {
  const std::string common = R"({"architectures": ["Glm4MoeLiteForCausalLM"], "attention_bias": false, "eos_token_id": [154820, 154827, 154829], "hidden_act": "silu",
    "hidden_size": 2048, "intermediate_size": 10240, "max_position_embeddings": 202752, "model_type": "glm4_moe_lite", "moe_intermediate_size": 1536, "n_group": 1,
    "topk_group": 1, "n_routed_experts": 64, "n_shared_experts": 1, "num_attention_heads": 20, "num_experts_per_tok": 4, "num_hidden_layers": 47,
    "num_nextn_predict_layers": 1, "partial_rotary_factor": 1.0, "q_lora_rank": 768, "kv_lora_rank": 512, "qk_nope_head_dim": 192, "qk_rope_head_dim": 64,
    "v_head_dim": 256, "vocab_size": 154880, "tie_word_embeddings": false, )";
  for (const char* rest : {R"("rope_scaling": null, "rope_theta": 1000000, "topk_method": "noaux_tc", "norm_topk_prob": true, "first_k_dense_replace": 1, "routed_scaling_factor": 1.8})",
                           R"("rope_parameters": {"rope_theta": 1000000, "rope_type": "default"}})"}) {
    const model::HfModel m = read(common + rest);
    CHECK(m.config.n_dense_layers == 1);
    CHECK(m.config.router.gating == moe::Gating::sigmoid);
    CHECK(m.config.router.normalize);
    CHECK(m.config.router.scale == 1.8f);
    CHECK(m.config.rms_eps == 1e-5f);
    CHECK(m.config.rope.base == 1e6);
    CHECK(m.config.rope.factor == 1);
    CHECK(m.config.shape.n_value == 256);
  }
}
