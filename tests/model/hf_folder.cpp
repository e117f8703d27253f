#include "hf_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <stdexcept>

#include "safetensors_bytes.hpp"
#include "scratch_folder.hpp"

namespace {

const std::map<std::string, std::string> outer_names = {
    {"token_embd.weight", "model.embed_tokens.weight"}, {"output_norm.weight", "model.norm.weight"}, {"output.weight", "lm_head.weight"}};

// Names behind "blk.<layer>." and behind "model.layers.<layer>.".
const std::map<std::string, std::string> layer_names = {
    {"attn_norm.weight", "input_layernorm.weight"}, {"attn_q.weight", "self_attn.q_proj.weight"},
    {"attn_q_a.weight", "self_attn.q_a_proj.weight"}, {"attn_q_a_norm.weight", "self_attn.q_a_layernorm.weight"},
    {"attn_q_b.weight", "self_attn.q_b_proj.weight"}, {"attn_kv_a_mqa.weight", "self_attn.kv_a_proj_with_mqa.weight"},
    {"attn_kv_a_norm.weight", "self_attn.kv_a_layernorm.weight"}, {"attn_kv_b.weight", "self_attn.kv_b_proj.weight"},
    {"attn_output.weight", "self_attn.o_proj.weight"}, {"ffn_norm.weight", "post_attention_layernorm.weight"},
    {"ffn_gate_inp.weight", "mlp.gate.weight"}, {"exp_probs_b.bias", "mlp.gate.e_score_correction_bias"},
    {"ffn_gate.weight", "mlp.gate_proj.weight"}, {"ffn_up.weight", "mlp.up_proj.weight"}, {"ffn_down.weight", "mlp.down_proj.weight"},
    {"ffn_gate_shexp.weight", "mlp.shared_experts.gate_proj.weight"}, {"ffn_up_shexp.weight", "mlp.shared_experts.up_proj.weight"},
    {"ffn_down_shexp.weight", "mlp.shared_experts.down_proj.weight"}, {"ffn_gate_exps.weight", "mlp.experts.{}.gate_proj.weight"},
    {"ffn_up_exps.weight", "mlp.experts.{}.up_proj.weight"}, {"ffn_down_exps.weight", "mlp.experts.{}.down_proj.weight"}};

std::string bytes_of(const TinyTensor& tensor) { return {reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()}; }

void add(HfFolder& hf, const TinyTensor& tensor) {
  std::vector<std::uint64_t> shape(tensor.shape.rbegin(), tensor.shape.rend());
  if (const auto outer = outer_names.find(tensor.name); outer != outer_names.end()) {
    hf.tensors.push_back({outer->second, "F32", shape, bytes_of(tensor)});
    return;
  }
  const std::size_t dot = tensor.name.find('.', 4);
  const std::string layer = tensor.name.substr(4, dot - 4), part = layer_names.at(tensor.name.substr(dot + 1));
  const std::string name = "model.layers." + layer + "." + part;
  if (shape.size() < 3) {
    hf.tensors.push_back({name, "F32", shape, bytes_of(tensor)});
    return;
  }
  const std::string bytes = bytes_of(tensor);
  const std::size_t each = bytes.size() / shape[0];
  for (std::uint64_t expert = 0; expert < shape[0]; ++expert)
    hf.tensors.push_back({fmt::format(fmt::runtime(name), expert), "F32", {shape[1], shape[2]}, bytes.substr(expert * each, each)});
}

}  // namespace

HfTensor& HfFolder::tensor(const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const HfTensor& t) { return t.name == name; });
  if (found == tensors.end()) throw std::out_of_range("no tensor " + name);
  return *found;
}

void HfFolder::remove_tensor(const std::string& name) { tensors.erase(tensors.begin() + (&tensor(name) - tensors.data())); }

void HfFolder::write_config(const std::string& folder) const { write_bytes(folder + "/config.json", config.dump(2)); }

void HfFolder::write_weights(const std::string& path, std::size_t shift) const {
  nlohmann::json header;
  std::string data;
  for (const HfTensor& tensor : tensors) {
    header[tensor.name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape},
                           {"data_offsets", {data.size(), data.size() + tensor.bytes.size()}}};
    data += tensor.bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8 + shift, ' ');
  write_bytes(path, safetensors_bytes(text, data));
}

void HfFolder::write(const std::string& folder) const {
  write_config(folder);
  write_weights(folder + "/model.safetensors");
}

HfFolder hf_folder(const TinyModel& original, const TinyShape& s) {
  HfFolder hf;
  hf.config = {{"architectures", {s.sigmoid ? "DeepseekV3ForCausalLM" : "DeepseekV2ForCausalLM"}}, {"vocab_size", s.n_vocab},
               {"hidden_size", s.n_embd}, {"num_hidden_layers", s.n_layers}, {"first_k_dense_replace", s.n_dense},
               {"intermediate_size", s.n_ff}, {"max_position_embeddings", 2560}, {"num_attention_heads", s.n_heads},
               {"qk_nope_head_dim", s.n_nope}, {"qk_rope_head_dim", s.n_rope}, {"v_head_dim", s.n_value}, {"kv_lora_rank", s.n_latent},
               {"n_routed_experts", s.n_experts}, {"num_experts_per_tok", s.n_used}, {"n_shared_experts", s.n_shared},
               {"moe_intermediate_size", s.n_ff_expert}, {"n_group", s.n_groups}, {"topk_group", s.n_groups_used}, {"rms_norm_eps", 1e-6},
               {"rope_theta", 10000}, {"routed_scaling_factor", s.sigmoid ? 2.5 : 1.0}, {"norm_topk_prob", s.sigmoid},
               {"topk_method", s.sigmoid ? "noaux_tc" : s.n_groups > 1 ? "group_limited_greedy" : "greedy"},
               {"scoring_func", s.sigmoid ? "sigmoid" : "softmax"}};
  if (s.q_lora > 0) hf.config["q_lora_rank"] = s.q_lora;
  hf.config["rope_scaling"] = {{"type", "yarn"}, {"factor", 40}, {"original_max_position_embeddings", 64}, {"mscale", 1.0},
                               {"mscale_all_dim", 1.0}};
  for (const TinyTensor& tensor : original.tensors) add(hf, tensor);
  return hf;
}
