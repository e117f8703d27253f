#include "synthetic.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <numeric>
#include <optional>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <mla/error.hpp>

#include "common/program.hpp"
#include "format/native_layout.hpp"
#include "gguf_image.hpp"
#include "kernels/panels.hpp"
#include "model/repack.hpp"
#include "random_blocks.hpp"

namespace bench {
namespace {

struct Preset {
  const char* name;
  int n_vocab, n_embd, n_layers, n_dense, n_heads, q_lora, n_latent, n_nope, n_rope, n_value;
  int n_ff, n_ff_expert, n_experts, n_used, n_shared, n_groups, n_groups_used;
  bool sigmoid;  // V3's routing: a bias for the selection, weights normalised
  float scale, yarn_multiplier;
  int yarn_context, n_ctx;
};

constexpr std::array<Preset, 5> presets{{
    {"v2-lite", 102400, 2048, 27, 1, 16, 0, 512, 128, 64, 128, 10944, 1408, 64, 6, 2, 1, 1, false, 1.0f, 0.0707f, 4096, 163840},
    {"v2", 102400, 5120, 60, 1, 128, 1536, 512, 128, 64, 128, 12288, 1536, 160, 6, 2, 8, 3, false, 16.0f, 0.0707f, 4096, 163840},
    {"v3", 129280, 7168, 61, 3, 128, 1536, 512, 128, 64, 128, 18432, 2048, 256, 8, 1, 8, 4, true, 2.5f, 0.1f, 4096, 163840},
    {"tiny-lite", 512, 128, 4, 1, 4, 0, 64, 32, 16, 32, 256, 64, 8, 3, 2, 1, 1, false, 1.0f, 0.0707f, 64, 2560},
    {"tiny-v3", 512, 256, 4, 1, 4, 96, 64, 32, 16, 32, 512, 256, 16, 4, 1, 4, 2, true, 2.5f, 0.1f, 64, 2560},
}};

constexpr std::size_t pattern_bytes = std::size_t{32} << 20;  // of random weights at most; larger tensors repeat them

const Preset& preset_of(const std::string& name) {
  return *std::ranges::find(presets, name, &Preset::name);  // SyntheticSpec::parse() has checked it
}

void add_keys(GgufImage& image, const Preset& p) {
  const auto uint = [&](const char* key, int value) { image.add(fmt::format("deepseek2.{}", key), static_cast<std::uint32_t>(value)); };
  const auto real = [&](const char* key, float value) { image.add(fmt::format("deepseek2.{}", key), value); };
  image.add("general.architecture", std::string_view("deepseek2"));
  image.add("general.name", std::string_view(p.name));
  uint("block_count", p.n_layers), uint("context_length", p.n_ctx), uint("embedding_length", p.n_embd), uint("feed_forward_length", p.n_ff);
  uint("attention.head_count", p.n_heads), uint("attention.head_count_kv", 1), uint("attention.kv_lora_rank", p.n_latent);
  if (p.q_lora > 0) uint("attention.q_lora_rank", p.q_lora);
  uint("attention.key_length", p.n_latent + p.n_rope), uint("attention.value_length", p.n_latent);
  uint("attention.key_length_mla", p.n_nope + p.n_rope), uint("attention.value_length_mla", p.n_value);
  real("attention.layer_norm_rms_epsilon", 1e-6f);
  uint("rope.dimension_count", p.n_rope), real("rope.freq_base", 10000.0f);
  image.add("deepseek2.rope.scaling.type", std::string_view("yarn"));
  real("rope.scaling.factor", 40.0f), real("rope.scaling.yarn_log_multiplier", p.yarn_multiplier);
  uint("rope.scaling.original_context_length", p.yarn_context);
  uint("leading_dense_block_count", p.n_dense), uint("vocab_size", p.n_vocab);
  uint("expert_feed_forward_length", p.n_ff_expert), uint("expert_count", p.n_experts), uint("expert_used_count", p.n_used);
  uint("expert_shared_count", p.n_shared), uint("expert_gating_func", p.sigmoid ? 2 : 1), real("expert_weights_scale", p.scale);
  image.add("deepseek2.expert_weights_norm", p.sigmoid);
  if (p.n_groups > 1) uint("expert_group_count", p.n_groups), uint("expert_group_used_count", p.n_groups_used);
}

// Announces the tensors of a model, then fills them.
class Builder {
 public:
  /// `repacked`: weights that the loader would repack are made as it leaves them, so that there is no second copy.
  Builder(const Preset& preset, const WeightType& type, bool repacked) : p_(preset), type_(type), repacked_(repacked), random_(1) {
    add_keys(image_, p_);
    if (repacked_) {
      image_.add(mla::format::layout_key, std::string_view(mla::format::layout_name));
      image_.add(mla::format::layout_version_key, mla::format::layout_version);
    }
    add_outer();
    for (int layer = 0; layer < p_.n_layers; ++layer) add_layer(layer);
  }

  std::size_t bytes() const noexcept { return total_bytes_; }

  GgufImage build(const mla::ModelOptions& options) {
    image_.allocate(options.huge_pages);
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (options.progress && !options.progress("random weights", i, tensors_.size()))
        throw mla::Error(mla::Status::aborted, "making the model was cancelled");
      fill(tensors_[i], image_.tensor(i), i);
    }
    patterns_.clear();
    return std::move(image_);
  }

 private:
  struct Tensor {
    const WeightType* type;
    float deviation;  // 0: a norm, whose values are near 1
    std::size_t panel_bytes;  // 0: its rows are one after another
  };

  void add(const std::string& name, std::vector<std::int64_t> shape, const WeightType& type, float deviation) {
    const std::int64_t n = std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies());
    const mla::format::TensorInfo info{.name = name, .shape = {shape.begin(), shape.end()}, .type = type.number, .bytes = type.bytes(n)};
    const bool in_panels = repacked_ && mla::model::repacked_bytes(info) > 0;
    image_.add_tensor(name, shape, in_panels ? mla::format::number_in_panels(type.number) : type.number, type.bytes(n));
    tensors_.push_back({&type, deviation, in_panels ? mla::kernels::panel_rows * type.bytes(shape[0]) : 0});
    total_bytes_ += type.bytes(n);
  }
  // Values keep their size on the way through a matrix if its entries have a deviation of 1/sqrt(width).
  void matrix(const std::string& name, std::vector<std::int64_t> shape, const WeightType* type = nullptr) {
    const float deviation = 1.0f / std::sqrt(static_cast<float>(shape[0]));
    const WeightType& fitting = type_for(shape[0], type == nullptr ? type_ : *type);
    add(name + ".weight", std::move(shape), fitting, deviation);
  }
  void norm(const std::string& name, std::int64_t n) { add(name + ".weight", {n}, f32_, 0.0f); }

  static const WeightType& type_for(std::int64_t width, const WeightType& wanted) {
    if (width % wanted.block_values == 0) return wanted;
    return *find_weight_type(width % 32 != 0 ? "f16" : wanted.narrow);
  }
  const WeightType* if_quantised(const WeightType& type) const { return type_.block_values > 1 ? &type : nullptr; }

  void add_outer() {
    matrix("token_embd", {p_.n_embd, p_.n_vocab});
    norm("output_norm", p_.n_embd);
    matrix("output", {p_.n_embd, p_.n_vocab}, type_.name == "q4_k" && p_.n_embd % 256 == 0 ? find_weight_type("q6_k") : nullptr);
  }

  void add_layer(int layer) {
    const std::string b = fmt::format("blk.{}.", layer);
    const std::int64_t d = p_.n_embd, heads = p_.n_heads, q_rows = heads * (p_.n_nope + p_.n_rope);
    norm(b + "attn_norm", d);
    if (p_.q_lora > 0) {
      matrix(b + "attn_q_a", {d, p_.q_lora}), norm(b + "attn_q_a_norm", p_.q_lora), matrix(b + "attn_q_b", {p_.q_lora, q_rows});
    } else {
      matrix(b + "attn_q", {d, q_rows});
    }
    matrix(b + "attn_kv_a_mqa", {d, p_.n_latent + p_.n_rope}), norm(b + "attn_kv_a_norm", p_.n_latent);
    const WeightType* const small = if_quantised(*find_weight_type("q8_0"));
    matrix(b + "attn_k_b", {p_.n_nope, p_.n_latent, heads}, small), matrix(b + "attn_v_b", {p_.n_latent, p_.n_value, heads}, small);
    matrix(b + "attn_output", {heads * p_.n_value, d}), norm(b + "ffn_norm", d);
    if (layer < p_.n_dense) return add_ffn(b, "", p_.n_ff, {});
    matrix(b + "ffn_gate_inp", {d, p_.n_experts}, &f32_);
    if (p_.sigmoid) add(b + "exp_probs_b.bias", {p_.n_experts}, f32_, 0.1f);
    add_ffn(b, "_exps", p_.n_ff_expert, p_.n_experts);
    add_ffn(b, "_shexp", std::int64_t{p_.n_ff_expert} * p_.n_shared, {});
  }

  void add_ffn(const std::string& b, const char* suffix, std::int64_t n_ff, std::optional<std::int64_t> n_experts) {
    for (const char* part : {"gate", "up", "down"}) {
      const bool down = std::strcmp(part, "down") == 0;
      std::vector<std::int64_t> shape{down ? n_ff : p_.n_embd, down ? p_.n_embd : n_ff};
      if (n_experts) shape.push_back(*n_experts);
      matrix(fmt::format("{}ffn_{}{}", b, part, suffix), std::move(shape));
    }
  }

  void fill(const Tensor& tensor, std::span<std::byte> out, std::size_t index) {
    if (tensor.deviation == 0) return fill_norm(out);
    const std::vector<std::byte>& pattern = pattern_of(tensor, out.size());
    // Each tensor begins elsewhere in the pattern, so that no two are alike.
    const std::size_t step = tensor.panel_bytes > 0 ? tensor.panel_bytes : tensor.type->block_bytes;
    std::size_t from = index * 7919 * step % pattern.size();
    for (std::size_t done = 0; done < out.size();) {
      const std::size_t n = std::min(out.size() - done, pattern.size() - from);
      std::memcpy(out.data() + done, pattern.data() + from, n);
      done += n, from = 0;
    }
  }

  void fill_norm(std::span<std::byte> out) {
    std::uniform_real_distribution<float> value(0.8f, 1.2f);
    for (std::size_t at = 0; at < out.size(); at += sizeof(float)) {
      const float v = value(random_);
      std::memcpy(out.data() + at, &v, sizeof v);
    }
  }

  const std::vector<std::byte>& pattern_of(const Tensor& tensor, std::size_t bytes) {
    std::vector<std::byte>& pattern = patterns_[{tensor.type->number, tensor.deviation, tensor.panel_bytes}];
    if (!pattern.empty()) return pattern;
    const std::size_t unit = std::max(tensor.panel_bytes, tensor.type->block_bytes);
    pattern.resize(std::max(std::min(pattern_bytes, bytes) / unit, std::size_t{1}) * unit);
    fill_random_blocks(*tensor.type, tensor.deviation, random_, pattern);
    if (tensor.panel_bytes > 0) put_in_panels(tensor, pattern);
    return pattern;
  }

  static void put_in_panels(const Tensor& tensor, std::span<std::byte> pattern) {
    const std::size_t panel = tensor.panel_bytes, row = panel / mla::kernels::panel_rows;
    const auto width = static_cast<std::int64_t>(row / tensor.type->block_bytes) * tensor.type->block_values;
    std::vector<std::byte> rows(panel);
    for (std::size_t at = 0; at < pattern.size(); at += panel) {
      std::memcpy(rows.data(), pattern.data() + at, panel);
      const auto type = static_cast<mla::quant::Type>(tensor.type->number);
      mla::kernels::rows_to_panel({rows.data(), type, mla::kernels::panel_rows, width, row}, 0, pattern.data() + at);
    }
  }

  const Preset& p_;
  const WeightType& type_;
  const bool repacked_;
  const WeightType& f32_ = *find_weight_type("f32");
  GgufImage image_;
  std::vector<Tensor> tensors_;
  std::size_t total_bytes_ = 0;
  std::map<std::tuple<std::uint32_t, float, std::size_t>, std::vector<std::byte>> patterns_;
  std::mt19937_64 random_;
};

// Bytes that can be had without swapping; none where the system doesn't say.
std::optional<std::size_t> available_memory() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);)
    if (std::size_t kib = 0; std::sscanf(line.c_str(), "MemAvailable: %zu kB", &kib) == 1) return kib << 10;
  return std::nullopt;
}

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : presets) names.emplace_back(preset.name);
  return names;
}

SyntheticSpec SyntheticSpec::parse(const std::string& text) {
  const std::size_t colon = text.find(':');
  const SyntheticSpec spec{text.substr(0, colon), colon == text.npos ? "" : text.substr(colon + 1)};
  if (std::ranges::find(presets, spec.preset, &Preset::name) == presets.end() || find_weight_type(spec.type) == nullptr)
    throw program::Failure(fmt::format("--synthetic {}: use PRESET:TYPE with a preset of {} and a type of {}", text,
                                       fmt::join(preset_names(), ", "), fmt::join(weight_type_names(), ", ")));
  return spec;
}

std::shared_ptr<const mla::Model> make_synthetic(const SyntheticSpec& spec, const mla::ModelOptions& options) {
  Preset preset = preset_of(spec.preset);
  if (spec.n_layers > 0) preset.n_layers = spec.n_layers;
  if (spec.n_dense >= 0) preset.n_dense = spec.n_dense;
  if (spec.n_dense < 0) preset.n_dense = std::min(preset.n_dense, preset.n_layers);
  if (preset.n_dense > preset.n_layers)
    throw program::Failure(fmt::format("--dense-layers {}: the model has {} layers", preset.n_dense, preset.n_layers));
  Builder builder(preset, *find_weight_type(spec.type), options.repack != mla::RepackMode::never);
  if (const auto available = available_memory(); available && builder.bytes() > *available)
    throw program::Failure(fmt::format("--synthetic {}:{} takes {:.1f} GB and {:.1f} GB are available: use fewer --layers", spec.preset,
                                       spec.type, static_cast<double>(builder.bytes()) * 1e-9, static_cast<double>(*available) * 1e-9));
  const GgufImage image = builder.build(options);
  return mla::Model::load_memory(image.bytes(), image.memory(), options);
}

}  // namespace bench
