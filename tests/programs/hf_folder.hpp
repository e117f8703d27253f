// A tiny DeepSeek-V3 as a Hugging Face folder: random weights, no tokenizer.
#pragma once
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "folder.hpp"

struct HfTensor {
  std::string name;
  std::vector<int> shape;
};

inline std::vector<HfTensor> hf_tensors(int vocab) {
  constexpr int d = 64, heads = 2, nope = 32, rope = 32, value = 32, latent = 64, q_rank = 64, ff = 96, experts = 4;
  std::vector<HfTensor> tensors{{"model.embed_tokens.weight", {vocab, d}}, {"model.norm.weight", {d}}, {"lm_head.weight", {vocab, d}}};
  const auto ffn = [&](const std::string& at) {
    for (const char* part : {"gate_proj", "up_proj"}) tensors.push_back({at + part + ".weight", {ff, d}});
    tensors.push_back({at + "down_proj.weight", {d, ff}});
  };
  for (int layer = 0; layer < 2; ++layer) {
    const std::string at = "model.layers." + std::to_string(layer) + ".", attn = at + "self_attn.", mlp = at + "mlp.";
    tensors.insert(tensors.end(), {{at + "input_layernorm.weight", {d}},
                                   {at + "post_attention_layernorm.weight", {d}},
                                   {attn + "q_a_proj.weight", {q_rank, d}},
                                   {attn + "q_a_layernorm.weight", {q_rank}},
                                   {attn + "q_b_proj.weight", {heads * (nope + rope), q_rank}},
                                   {attn + "kv_a_proj_with_mqa.weight", {latent + rope, d}},
                                   {attn + "kv_a_layernorm.weight", {latent}},
                                   {attn + "kv_b_proj.weight", {heads * (nope + value), latent}},
                                   {attn + "o_proj.weight", {d, heads * value}}});
    if (layer == 0) {
      ffn(mlp);
      continue;
    }
    tensors.insert(tensors.end(), {{mlp + "gate.weight", {experts, d}}, {mlp + "gate.e_score_correction_bias", {experts}}});
    for (int e = 0; e < experts; ++e) ffn(mlp + "experts." + std::to_string(e) + ".");
    ffn(mlp + "shared_experts.");
  }
  return tensors;
}

/// Writes config.json and model.safetensors (F32) into an existing folder.
inline void write_hf_folder(const std::string& folder, int vocab = 128) {
  const nlohmann::json config{
      {"architectures", {"DeepseekV3ForCausalLM"}}, {"vocab_size", vocab}, {"hidden_size", 64}, {"num_hidden_layers", 2},
      {"num_attention_heads", 2}, {"qk_nope_head_dim", 32}, {"qk_rope_head_dim", 32}, {"v_head_dim", 32}, {"kv_lora_rank", 64},
      {"q_lora_rank", 64}, {"max_position_embeddings", 256}, {"intermediate_size", 96}, {"moe_intermediate_size", 96},
      {"n_routed_experts", 4}, {"num_experts_per_tok", 2}, {"n_shared_experts", 1}, {"first_k_dense_replace", 1},
      {"n_group", 2}, {"topk_group", 1}, {"routed_scaling_factor", 2.5}, {"norm_topk_prob", true}};
  write_file(folder + "/config.json", config.dump());

  std::mt19937 random(7);
  nlohmann::json header;
  std::string data;
  for (const HfTensor& tensor : hf_tensors(vocab)) {
    const bool norm = tensor.name.find("norm") != std::string::npos;
    std::size_t n = 1, begin = data.size();
    for (const int size : tensor.shape) n *= static_cast<std::size_t>(size);
    for (std::size_t i = 0; i < n; ++i) {
      // Of the generator alone: distributions differ between libraries.
      const float x = static_cast<float>(random()) / 4294967296.0f - 0.5f, weight = norm ? 1 + x / 4 : x / 4;
      data.append(reinterpret_cast<const char*>(&weight), sizeof weight);
    }
    header[tensor.name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
  }
  const std::string text = header.dump();
  const std::uint64_t length = text.size();
  write_file(folder + "/model.safetensors", std::string(reinterpret_cast<const char*>(&length), sizeof length) + text + data);
}
