#include "model/config.hpp"

#include <algorithm>
#include <cmath>

#include "format/gguf.hpp"
#include "model/metadata.hpp"
#include "platform/fail.hpp"

namespace mla::model {
namespace {

// Files come with per-head sizes (key_length = N + P) or with those of the latent (key_length = R + P) and the per-head ones
// under key_length_mla.
void read_attention(Metadata& meta, Config& c) {
  CacheShape& s = c.shape;
  s.n_heads = meta.size("attention.head_count");
  s.n_latent = meta.size("attention.kv_lora_rank");
  s.n_rope = meta.size("rope.dimension_count");
  c.q_lora_rank = meta.size("attention.q_lora_rank", 0, 0);
  const int kv_heads = meta.size("attention.head_count_kv", s.n_heads);
  const int key_length = meta.size("attention.key_length"), value_length = meta.size("attention.value_length");
  const int key_mla = meta.size("attention.key_length_mla", 0, 0), value_mla = meta.size("attention.value_length_mla", 0, 0);
  if ((key_mla == 0) != (value_mla == 0)) meta.refuse("attention.key_length_mla", "it and attention.value_length_mla belong together");
  if (kv_heads != 1 && kv_heads != s.n_heads)
    meta.refuse("attention.head_count_kv", fmt::format("{} is neither 1 nor head_count, {}", kv_heads, s.n_heads));
  const int key = key_mla > 0 ? key_mla : key_length;
  s.n_value = value_mla > 0 ? value_mla : value_length;
  s.n_nope = key - s.n_rope;
  if (s.n_nope <= 0) meta.refuse("attention.key_length", fmt::format("{} leaves nothing beside rope.dimension_count, {}", key, s.n_rope));
  if (key_mla > 0 && (key_length != s.n_latent + s.n_rope || value_length != s.n_latent))
    meta.refuse("attention.key_length", "beside key_length_mla it should be kv_lora_rank + rope.dimension_count");
  c.rms_eps = static_cast<float>(meta.number("attention.layer_norm_rms_epsilon").value_or(1e-6));
}

void read_rope(Metadata& meta, Config& c) {
  layers::RopeParams& rope = c.rope;
  rope.n_rope = c.shape.n_rope;
  rope.base = meta.number("rope.freq_base").value_or(10000.0);
  const auto named_type = meta.text("rope.scaling.type");
  const std::string type = named_type.value_or("none");
  layers::RopeParams yarn = rope;
  yarn.factor = meta.number("rope.scaling.factor").value_or(1.0);
  yarn.original_ctx = meta.size("rope.scaling.original_context_length", c.n_ctx_train);
  yarn.log_multiplier = meta.number("rope.scaling.yarn_log_multiplier").value_or(0.0);
  yarn.beta_fast = meta.number("rope.scaling.yarn_beta_fast").value_or(32.0);
  yarn.beta_slow = meta.number("rope.scaling.yarn_beta_slow").value_or(1.0);
  if (meta.number("rope.scaling.attn_factor").value_or(1.0) != 1.0) meta.not_implemented("rope.scaling.attn_factor", "only 1 is implemented");
  if (meta.number("rope.scaling.yarn_attn_factor").value_or(1.0) != 1.0)
    meta.not_implemented("rope.scaling.yarn_attn_factor", "only 1 is implemented");
  if (meta.number("rope.scaling.yarn_ext_factor").value_or(1.0) != 1.0)
    meta.not_implemented("rope.scaling.yarn_ext_factor", "only 1 is implemented");
  (void)meta.boolean("rope.scaling.finetuned");  // says how the model was made, not how it computes
  if (!named_type && yarn.factor != 0 && yarn.factor != 1) meta.refuse("rope.scaling.type", "it is missing beside rope.scaling.factor");
  if (type == "yarn") rope = yarn;
  if (type != "yarn" && type != "none") meta.not_implemented("rope.scaling.type", fmt::format("'{}' is not implemented, only yarn is", type));
}

moe::Gating read_gating(Metadata& meta, bool has_bias) {
  const auto number = meta.integer("expert_gating_func");
  if (!number || *number == 0) return has_bias ? moe::Gating::sigmoid : moe::Gating::softmax;  // GLM-4.7-Flash files lack it
  if (*number == 1) return moe::Gating::softmax;
  if (*number == 2) return moe::Gating::sigmoid;
  meta.not_implemented("expert_gating_func", fmt::format("{} is neither 1 (softmax) nor 2 (sigmoid)", *number));
}

void read_groups(Metadata& meta, Config& c, const std::string& path, LogSink* log) {
  moe::RouterParams& r = c.router;
  const int groups = meta.size("expert_group_count", 0, 0), groups_used = meta.size("expert_group_used_count", 0, 0);
  if (groups > 1) {
    r.n_groups = groups;
    r.n_groups_used = groups_used > 0 ? groups_used : groups;
  } else if (groups == 0 && r.gating == moe::Gating::sigmoid && r.n_experts == 256 && c.shape.n_layers == 61) {
    // The first V3 and R1 files were written before there were keys for it.
    r.n_groups = 8;
    r.n_groups_used = 4;
    if (log != nullptr)
      log->write(LogLevel::warning, path + ": no expert_group_count, but the shape of DeepSeek-V3/R1: taking 8 groups of which 4 are "
                                           "used; override deepseek2.expert_group_count=1 if that is wrong");
  }
}

void read_experts(Metadata& meta, const format::GgufFile& file, Config& c, LogSink* log) {
  moe::RouterParams& r = c.router;
  r.n_experts = meta.size("expert_count", 0, 0);
  c.n_dense_layers = meta.size("leading_dense_block_count", 0, 0);
  c.n_experts_shared = meta.size("expert_shared_count", 0, 0);
  c.n_ff_expert = meta.size("expert_feed_forward_length", 0, 0);
  r.n_used = meta.size("expert_used_count", 0, 0);
  r.normalize = meta.boolean("expert_weights_norm").value_or(false);
  const double scale = meta.number("expert_weights_scale").value_or(1.0);
  r.scale = scale == 0 ? 1.0f : static_cast<float>(scale);  // 0 stands for "none" in files of some converters
  const std::string first = fmt::format("blk.{}.exp_probs_b", std::min(c.n_dense_layers, c.shape.n_layers));
  r.gating = read_gating(meta, file.find(first + ".bias") != nullptr || file.find(first) != nullptr);
  c.n_ff = meta.size("feed_forward_length", 0, 0);
  if (r.n_experts == 0 || c.n_dense_layers >= c.shape.n_layers) {
    r.n_experts = 0;
    r.n_used = 0;
  } else if (c.n_ff_expert == 0) {
    meta.refuse("expert_feed_forward_length", "it is missing");
  }
  read_groups(meta, c, file.path(), log);
  if (c.n_ff == 0 && (r.n_experts == 0 || c.n_dense_layers > 0)) meta.refuse("feed_forward_length", "it is missing");
}

}  // namespace

float Config::score_scale() const noexcept {
  return static_cast<float>(rope.score_scale() / std::sqrt(static_cast<double>(shape.n_nope + shape.n_rope)));
}

std::optional<ConfigProblem> find_problem(const Config& c) {
  const layers::RopeParams& rope = c.rope;
  const moe::RouterParams& r = c.router;
  if (rope.n_rope % 2 != 0) return {{"rope.dimension_count", "qk_rope_head_dim", fmt::format("{} is odd", rope.n_rope)}};
  if (!(c.rms_eps > 0 && c.rms_eps < 1)) return {{"attention.layer_norm_rms_epsilon", "rms_norm_eps", "it is not between 0 and 1"}};
  if (!(rope.base > 1 && rope.base < 1e12)) return {{"rope.freq_base", "rope_theta", "it is out of range"}};
  if (!(rope.factor >= 1 && rope.factor < 1e6)) return {{"rope.scaling.factor", "rope_scaling.factor", "it is out of range"}};
  if (!(rope.beta_fast > 0 && rope.beta_fast < 1e6)) return {{"rope.scaling.yarn_beta_fast", "rope_scaling.beta_fast", "it is out of range"}};
  if (!(rope.beta_slow > 0 && rope.beta_slow < 1e6)) return {{"rope.scaling.yarn_beta_slow", "rope_scaling.beta_slow", "it is out of range"}};
  if (!(std::abs(rope.log_multiplier) < 10)) return {{"rope.scaling.yarn_log_multiplier", "rope_scaling.mscale_all_dim", "it is out of range"}};
  if (std::int64_t{c.n_ff_expert} * c.n_experts_shared > (1 << 24))
    return {{"expert_shared_count", "n_shared_experts", fmt::format("{} of width {} are absurd", c.n_experts_shared, c.n_ff_expert)}};
  if (r.n_groups > moe::max_groups || r.n_experts % r.n_groups != 0)
    return {{"expert_group_count", "n_group", fmt::format("{} groups of {} experts can't be", r.n_groups, r.n_experts)}};
  if (r.n_experts == 0) return std::nullopt;
  if (r.n_used < 1 || r.n_used > r.n_experts)
    return {{"expert_used_count", "num_experts_per_tok", fmt::format("{} of {} experts can't be", r.n_used, r.n_experts)}};
  if (!(r.scale > 0 && r.scale < 1e6f)) return {{"expert_weights_scale", "routed_scaling_factor", "it is out of range"}};
  if (r.n_groups_used > r.n_groups || r.n_groups_used * (r.n_experts / r.n_groups) < r.n_used)
    return {{"expert_group_used_count", "topk_group", fmt::format("{} of {} groups can't hold {} experts", r.n_groups_used, r.n_groups, r.n_used)}};
  return std::nullopt;
}

Config read_config(const format::GgufFile& file, const std::map<std::string, std::string>& overrides, LogSink* log) {
  const std::string architecture = file.require_string("general.architecture");
  if (architecture != "deepseek2")
    fail(Status::unsupported, "{}: general.architecture is '{}', and libmla runs deepseek2 models only", file.path(), architecture);
  Metadata meta(file, architecture, overrides);
  Config c;
  // MTP layers follow the model's own and take no part in ordinary decoding.
  c.n_mtp_layers = meta.size("nextn_predict_layers", 0, 0);
  c.shape.n_layers = meta.size("block_count") - c.n_mtp_layers;
  if (c.shape.n_layers < 1) meta.refuse("nextn_predict_layers", "it leaves no layers");
  c.n_ctx_train = meta.size("context_length");
  c.n_embd = meta.size("embedding_length");
  c.n_vocab = meta.size("vocab_size", 0, 0);  // 0: as many as token_embd.weight has
  read_attention(meta, c);
  read_rope(meta, c);
  read_experts(meta, file, c, log);
  if (const auto problem = find_problem(c)) meta.refuse(problem->gguf_key, problem->why);
  meta.refuse_unread();
  return c;
}

}  // namespace mla::model
