#include "model/hf_config.hpp"

#include <algorithm>
#include <iterator>

#include "kernels/matrix.hpp"
#include "platform/fail.hpp"
#include "platform/json.hpp"

namespace mla::model {
namespace {

using nlohmann::json;

// Keys of one JSON object, read with errors that name file and key.
class Keys {
 public:
  Keys(const json& object, std::string path) : object_(object), path_(std::move(path)) {}

  bool has(const char* key) const { return object_.contains(key) && !object_[key].is_null(); }
  [[noreturn]] void refuse(const char* key, const std::string& why) const { fail(Status::unsupported, "{}: key {}: {}", path_, key, why); }
  [[noreturn]] void malformed(const char* key, const std::string& why) const { fail(Status::bad_file, "{}: key {}: {}", path_, key, why); }

  int size(const char* key, int least = 1) const {
    if (!has(key)) malformed(key, "it is missing");
    const json& value = object_[key];
    if (!value.is_number_integer() || value < least || value > (1 << 24))
      malformed(key, fmt::format("not a whole number from {} to 2^24", least));
    return value.get<int>();
  }
  int size_or(const char* key, int fallback) const { return has(key) ? size(key, 0) : fallback; }
  double number_or(const char* key, double fallback) const {
    if (!has(key)) return fallback;
    if (!object_[key].is_number()) malformed(key, "not a number");
    return object_[key].get<double>();
  }
  bool flag_or(const char* key, bool fallback) const {
    if (!has(key)) return fallback;
    if (!object_[key].is_boolean()) malformed(key, "neither true nor false");
    return object_[key].get<bool>();
  }
  std::string text_or(const char* key, const std::string& fallback) const {
    if (!has(key)) return fallback;
    if (!object_[key].is_string()) malformed(key, "not a string");
    return object_[key].get<std::string>();
  }
  // The text that a list has as its only element; "" for anything else.
  std::string only_text(const char* key) const {
    if (!has(key) || !object_[key].is_array() || object_[key].size() != 1 || !object_[key][0].is_string()) return "";
    return object_[key][0].get<std::string>();
  }
  std::vector<std::string> texts(const char* key) const {
    std::vector<std::string> out;
    if (!object_[key].is_array()) malformed(key, "not a list");
    for (const json& entry : object_[key]) {
      if (!entry.is_string()) malformed(key, "not a list of strings");
      out.push_back(entry.get<std::string>());
    }
    return out;
  }
  bool is_pair(const char* key, std::int64_t value) const { return has(key) && object_[key] == json::array({value, value}); }
  Keys object(const char* key) const {
    if (!object_[key].is_object()) malformed(key, "not an object");
    return Keys(object_[key], path_ + ": " + key);
  }

 private:
  const json& object_;
  std::string path_;
};

// The kinds of model, which have different defaults.
struct Family {
  const char* architecture;
  bool is_v2;
  double rms_eps, routed_scale;
  int n_dense_layers;
};
constexpr Family families[] = {{"DeepseekV2ForCausalLM", true, 1e-6, 1.0, 0},
                               {"DeepseekV3ForCausalLM", false, 1e-6, 2.5, 0},     // also R1, Moonlight and Kimi-K2
                               {"Glm4MoeLiteForCausalLM", false, 1e-5, 1.8, 1}};  // GLM-4.7-Flash

// Published configs have rope_theta and rope_scaling {type, …}; newer ones rope_parameters {rope_type, rope_theta, …}.
void read_rope(const Keys& keys, Config& c) {
  layers::RopeParams& rope = c.rope;
  rope.n_rope = c.shape.n_rope;
  rope.base = keys.number_or("rope_theta", 10000.0);
  const char* name = keys.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  if (!keys.has(name)) return;
  const Keys scaling = keys.object(name);
  rope.base = scaling.number_or("rope_theta", rope.base);
  if (scaling.number_or("partial_rotary_factor", 1.0) != 1.0) scaling.refuse("partial_rotary_factor", "only 1 is implemented");
  const std::string type = scaling.text_or("rope_type", scaling.text_or("type", "default"));
  if (type == "default") return;
  if (type != "yarn") scaling.refuse("type", fmt::format("'{}' is not implemented, only yarn is", type));
  rope.factor = scaling.number_or("factor", 1.0);
  rope.original_ctx = scaling.size_or("original_max_position_embeddings", c.n_ctx_train);
  rope.beta_fast = scaling.number_or("beta_fast", 32.0);
  rope.beta_slow = scaling.number_or("beta_slow", 1.0);
  const double mscale = scaling.number_or("mscale", 0.0), mscale_all_dim = scaling.number_or("mscale_all_dim", 0.0);
  // Otherwise cosines and sines would be scaled too, which GGUF has no key for.
  if (mscale != mscale_all_dim || mscale_all_dim == 0)
    scaling.refuse("mscale_all_dim", "only models where it equals mscale, and neither is 0, can be stored in GGUF");
  if (scaling.has("attention_factor")) scaling.refuse("attention_factor", "it is not implemented");
  rope.log_multiplier = 0.1 * mscale_all_dim;
}

// "mlp_layer_types" of newer configs: dense layers first, then those with experts.
int dense_layers(const Keys& keys, int n_layers, int fallback) {
  if (!keys.has("mlp_layer_types")) return keys.size_or("first_k_dense_replace", fallback);
  const std::vector<std::string> types = keys.texts("mlp_layer_types");
  const auto first_sparse = std::ranges::find(types, "sparse");
  if (types.size() != static_cast<std::size_t>(n_layers) ||
      std::any_of(types.begin(), first_sparse, [](const auto& t) { return t != "dense"; }) ||
      std::any_of(first_sparse, types.end(), [](const auto& t) { return t != "sparse"; }))
    keys.refuse("mlp_layer_types", "only \"dense\" for the first layers and \"sparse\" for all others is implemented");
  return static_cast<int>(first_sparse - types.begin());
}

// FP8 checkpoints, as DeepSeek publishes V3 and R1.
bool read_quantization(const Keys& keys) {
  if (!keys.has("quantization_config")) return false;
  const Keys quantization = keys.object("quantization_config");
  if (const std::string method = quantization.text_or("quant_method", "(none)"); method != "fp8")
    quantization.refuse("quant_method", fmt::format("'{}' is not implemented, only fp8 is", method));
  if (const std::string format = quantization.text_or("fmt", "e4m3"); format != "e4m3")
    quantization.refuse("fmt", fmt::format("'{}' is not implemented, only e4m3 is", format));
  if (!quantization.is_pair("weight_block_size", kernels::BlockScales::size))
    quantization.refuse("weight_block_size", "only [128, 128] is implemented");
  return true;
}

void read_experts(const Keys& keys, const Family& family, Config& c) {
  const bool v3 = !family.is_v2;
  moe::RouterParams& r = c.router;
  c.n_ff = keys.size("intermediate_size");
  r.n_experts = keys.size_or("n_routed_experts", 0);
  c.n_dense_layers = dense_layers(keys, c.shape.n_layers, family.n_dense_layers);
  if (r.n_experts == 0) return;
  r.n_used = keys.size("num_experts_per_tok");
  c.n_ff_expert = keys.size("moe_intermediate_size");
  c.n_experts_shared = keys.size_or("n_shared_experts", 0);
  r.scale = static_cast<float>(keys.number_or("routed_scaling_factor", family.routed_scale));
  r.normalize = keys.flag_or("norm_topk_prob", v3);
  if (keys.size_or("moe_layer_freq", 1) != 1) keys.refuse("moe_layer_freq", "only 1 is implemented");
  const std::string scoring = keys.text_or("scoring_func", v3 ? "sigmoid" : "softmax");
  if (scoring != "sigmoid" && scoring != "softmax") keys.refuse("scoring_func", fmt::format("'{}' is not implemented", scoring));
  r.gating = scoring == "sigmoid" ? moe::Gating::sigmoid : moe::Gating::softmax;
  const std::string method = keys.text_or("topk_method", v3 ? "noaux_tc" : "greedy");
  if (method != (v3 ? "noaux_tc" : "greedy") && (v3 || method != "group_limited_greedy"))
    keys.refuse("topk_method", fmt::format("'{}' is not implemented for this architecture", method));
  if ((method == "noaux_tc") != (r.gating == moe::Gating::sigmoid))
    keys.refuse("scoring_func", fmt::format("'{}' with topk_method '{}' is not implemented", scoring, method));
  if (method != "greedy") {
    r.n_groups = std::max(1, keys.size_or("n_group", 1));
    r.n_groups_used = std::max(1, keys.size_or("topk_group", 1));
  }
  // DeepSeek-V2's own code scales the weights only where it doesn't normalise them.
  if (!v3 && r.normalize && r.scale != 1.0f)
    keys.refuse("routed_scaling_factor", "with norm_topk_prob only 1 is implemented for DeepSeek-V2");
}

}  // namespace

HfModel read_hf_config(const std::string& folder) {
  const std::string path = folder + "/config.json";
  const platform::JsonDocument document = platform::read_json_file(path);
  const json& file = document.root();
  if (!file.is_object()) fail(Status::bad_file, "{}: not a JSON object", path);
  const Keys keys(file, path);
  const std::string architecture = keys.only_text("architectures");
  const auto* const family = std::ranges::find(families, architecture, &Family::architecture);
  if (family == std::end(families))
    keys.refuse("architectures", "libmla knows DeepseekV2ForCausalLM, DeepseekV3ForCausalLM and Glm4MoeLiteForCausalLM");
  if (keys.flag_or("attention_bias", false)) keys.refuse("attention_bias", "biases are not implemented");
  if (!keys.flag_or("rope_interleave", true)) keys.refuse("rope_interleave", "only interleaved pairs are implemented");
  if (keys.number_or("partial_rotary_factor", 1.0) != 1.0) keys.refuse("partial_rotary_factor", "only 1 is implemented");
  if (keys.text_or("hidden_act", "silu") != "silu") keys.refuse("hidden_act", "only silu is implemented");

  HfModel model;
  Config& c = model.config;
  c.n_vocab = keys.size("vocab_size");
  c.n_ctx_train = keys.size("max_position_embeddings");
  c.n_embd = keys.size("hidden_size");
  c.q_lora_rank = keys.size_or("q_lora_rank", 0);
  c.n_mtp_layers = keys.size_or("num_nextn_predict_layers", 0);
  c.rms_eps = static_cast<float>(keys.number_or("rms_norm_eps", family->rms_eps));
  c.shape = {.n_layers = keys.size("num_hidden_layers"),
             .n_heads = keys.size("num_attention_heads"),
             .n_nope = keys.size("qk_nope_head_dim"),
             .n_rope = keys.size("qk_rope_head_dim"),
             .n_value = keys.size("v_head_dim"),
             .n_latent = keys.size("kv_lora_rank")};
  read_rope(keys, c);
  read_experts(keys, *family, c);
  if (const auto problem = find_problem(c)) keys.malformed(problem->hf_key, problem->why);
  model.is_fp8 = read_quantization(keys);
  model.tied_embeddings = keys.flag_or("tie_word_embeddings", false);
  return model;
}

void write_general(format::KeyValues& keys, std::string folder) {
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  keys.add_string("general.architecture", "deepseek2");
  keys.add_string("general.type", "model");
  keys.add_string("general.name", folder.substr(folder.find_last_of('/') + 1));
}

void write_config(format::KeyValues& w, const Config& c, ConfigForm form) {
  const std::string a = "deepseek2.";
  const auto uint = [&](const char* key, int value) { w.add_uint(a + key, static_cast<std::uint32_t>(value)); };
  const auto real = [&](const char* key, double value) { w.add_float(a + key, static_cast<float>(value)); };
  const CacheShape& s = c.shape;
  const int n_mtp = form.mtp ? c.n_mtp_layers : 0;
  uint("block_count", s.n_layers + n_mtp);
  if (n_mtp > 0) uint("nextn_predict_layers", n_mtp);
  uint("context_length", c.n_ctx_train);
  uint("embedding_length", c.n_embd);
  uint("feed_forward_length", c.n_ff);
  uint("vocab_size", c.n_vocab);
  uint("leading_dense_block_count", c.n_dense_layers);
  real("attention.layer_norm_rms_epsilon", c.rms_eps);
  uint("attention.head_count", s.n_heads);
  uint("attention.head_count_kv", form.split_latent ? 1 : s.n_heads);
  uint("attention.kv_lora_rank", s.n_latent);
  if (c.q_lora_rank > 0) uint("attention.q_lora_rank", c.q_lora_rank);
  uint("attention.key_length", form.split_latent ? s.n_latent + s.n_rope : s.n_nope + s.n_rope);
  uint("attention.value_length", form.split_latent ? s.n_latent : s.n_value);
  if (form.split_latent) {
    uint("attention.key_length_mla", s.n_nope + s.n_rope);
    uint("attention.value_length_mla", s.n_value);
  }
  uint("rope.dimension_count", s.n_rope);
  real("rope.freq_base", c.rope.base);
  if (c.rope.factor != 1) {
    w.add_string(a + "rope.scaling.type", "yarn");
    real("rope.scaling.factor", c.rope.factor);
    uint("rope.scaling.original_context_length", c.rope.original_ctx);
    real("rope.scaling.yarn_log_multiplier", c.rope.log_multiplier);
    if (c.rope.beta_fast != 32) real("rope.scaling.yarn_beta_fast", c.rope.beta_fast);
    if (c.rope.beta_slow != 1) real("rope.scaling.yarn_beta_slow", c.rope.beta_slow);
  }
  const moe::RouterParams& r = c.router;
  if (r.n_experts == 0) return;
  uint("expert_count", r.n_experts);
  uint("expert_used_count", r.n_used);
  uint("expert_shared_count", c.n_experts_shared);
  uint("expert_feed_forward_length", c.n_ff_expert);
  real("expert_weights_scale", r.scale);
  w.add_bool(a + "expert_weights_norm", r.normalize);
  uint("expert_gating_func", r.gating == moe::Gating::softmax ? 1 : 2);
  uint("expert_group_count", r.n_groups);  // 1 too: a file of V3's shape without the key is taken to have 8
  uint("expert_group_used_count", r.n_groups_used);
}

}  // namespace mla::model
