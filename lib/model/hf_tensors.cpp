#include "model/hf_tensors.hpp"

#include <algorithm>
#include <charconv>

#include "kernels/matmul.hpp"
#include "platform/checksum.hpp"
#include "platform/fail.hpp"
#include "quant/dequantize.hpp"

namespace mla::model {
namespace {

using format::SafetensorsTensor;
using kernels::BlockScales;
using kernels::Matrix;
using quant::Type;

std::uint64_t unsigned_of(std::int64_t n) { return static_cast<std::uint64_t>(n); }

bool has_shape(const SafetensorsTensor& tensor, const std::vector<std::int64_t>& shape) {
  return std::ranges::equal(tensor.shape, shape, [](std::uint64_t a, std::int64_t b) { return a == unsigned_of(b); });
}

Type float_type(const SafetensorsTensor& tensor, const std::string& name, bool is_fp8) {
  if (tensor.dtype == "F32") return Type::f32;
  if (tensor.dtype == "F16") return Type::f16;
  if (tensor.dtype == "BF16") return Type::bf16;
  if (tensor.dtype == "F8_E4M3" && is_fp8) return Type::f8_e4m3;
  fail(Status::unsupported,
       "{}: tensor {} is of dtype {}: only F32, F16 and BF16 are known, and F8_E4M3 where config.json has an fp8 quantization_config",
       *tensor.path, name, tensor.dtype);
}

}  // namespace

std::int64_t HfTensor::rows() const noexcept {
  std::uint64_t rows = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) rows *= shape[i];
  return static_cast<std::int64_t>(rows);
}

std::vector<std::span<const std::byte>> HfTensor::bytes_of(std::int64_t first, std::int64_t n) const {
  if (part != Part::whole) return {{sources[0].data, sources[0].bytes()}};
  std::vector<std::span<const std::byte>> spans;
  const std::int64_t each = sources[0].rows;
  for (std::int64_t at = first; at < first + n; at = (at / each + 1) * each) {
    const Matrix& from = sources[static_cast<std::size_t>(at / each)];
    const std::int64_t end = std::min(first + n, (at / each + 1) * each);
    spans.emplace_back(from.row(at % each), static_cast<std::size_t>(end - at) * from.row_bytes);
  }
  return spans;
}

// Rows of kv_b are, for each head, N of the key and V of the value. k_b is the transpose of a head's key rows.
void HfTensor::load(std::int64_t first, std::int64_t n, float* out) const {
  const std::int64_t width = cols();
  if (part == Part::k_b) {
    const std::int64_t n_latent = step(), heads = static_cast<std::int64_t>(shape[2]), per_head = sources[0].rows / heads;
    std::vector<float> key(static_cast<std::size_t>(n_latent));
    for (std::int64_t head = first / n_latent; head < (first + n) / n_latent; ++head, out += width * n_latent)
      for (std::int64_t i = 0; i < width; ++i) {
        kernels::dequantize_part(sources[0], head * per_head + i, 0, n_latent, key.data());
        for (std::int64_t r = 0; r < n_latent; ++r) out[r * width + i] = key[static_cast<std::size_t>(r)];
      }
    return;
  }
  const std::int64_t each = part == Part::v_b ? static_cast<std::int64_t>(shape[1]) : sources[0].rows;
  for (std::int64_t i = first; i < first + n; ++i, out += width) {
    if (part == Part::whole) {
      kernels::dequantize_part(sources[static_cast<std::size_t>(i / each)], i % each, 0, width, out);
    } else {
      const std::int64_t heads = static_cast<std::int64_t>(shape[2]), per_head = sources[0].rows / heads;
      kernels::dequantize_part(sources[0], i / each * per_head + per_head - each + i % each, 0, width, out);
    }
  }
}

HfTensors::HfTensors(const std::string& folder, format::SafetensorsFolder files, const HfModel& model, ConfigForm form, LogSink* log)
    : c_(model.config), tied_(model.tied_embeddings), is_fp8_(model.is_fp8), form_(form), folder_(folder), weights_(std::move(files)) {
  const int n_layers = c_.shape.n_layers;
  matrix("token_embd.weight", "model.embed_tokens.weight", c_.n_vocab, c_.n_embd);
  for (int layer = 0; layer < n_layers; ++layer) add_layer(layer);
  for (int layer = n_layers; form.mtp && layer < n_layers + c_.n_mtp_layers; ++layer) {
    add_layer(layer);
    add_mtp(fmt::format("blk.{}.nextn.", layer), fmt::format("model.layers.{}.", layer));
  }
  vector("output_norm.weight", "model.norm.weight", c_.n_embd);
  matrix("output.weight", tied_ ? "model.embed_tokens.weight" : "lm_head.weight", c_.n_vocab, c_.n_embd);
  refuse_unused(log);
}

void HfTensors::add_layer(int layer) {
  const CacheShape& s = c_.shape;
  const std::string to = fmt::format("blk.{}.", layer), from = fmt::format("model.layers.{}.", layer), attn = from + "self_attn.";
  const std::int64_t q_rows = std::int64_t{s.n_heads} * (s.n_nope + s.n_rope);
  vector(to + "attn_norm.weight", from + "input_layernorm.weight", c_.n_embd);
  if (c_.q_lora_rank == 0) {
    matrix(to + "attn_q.weight", attn + "q_proj.weight", q_rows, c_.n_embd);
  } else {
    matrix(to + "attn_q_a.weight", attn + "q_a_proj.weight", c_.q_lora_rank, c_.n_embd);
    vector(to + "attn_q_a_norm.weight", attn + "q_a_layernorm.weight", c_.q_lora_rank);
    matrix(to + "attn_q_b.weight", attn + "q_b_proj.weight", q_rows, c_.q_lora_rank);
  }
  matrix(to + "attn_kv_a_mqa.weight", attn + "kv_a_proj_with_mqa.weight", s.n_latent + s.n_rope, c_.n_embd);
  vector(to + "attn_kv_a_norm.weight", attn + "kv_a_layernorm.weight", s.n_latent);
  add_latent(to, attn + "kv_b_proj.weight");
  matrix(to + "attn_output.weight", attn + "o_proj.weight", c_.n_embd, std::int64_t{s.n_heads} * s.n_value);
  vector(to + "ffn_norm.weight", from + "post_attention_layernorm.weight", c_.n_embd);
  if (c_.has_experts(layer))
    add_experts(to, from + "mlp.");
  else
    add_ffn(to, "", from + "mlp.", c_.n_ff);
}

void HfTensors::add_latent(const std::string& to, const std::string& from) {
  const CacheShape& s = c_.shape;
  const std::int64_t rows = std::int64_t{s.n_heads} * (s.n_nope + s.n_value);
  if (!form_.split_latent) return matrix(to + "attn_kv_b.weight", from, rows, s.n_latent);
  const Matrix kv_b = source(from, {rows, s.n_latent});
  const auto size = [](int n) { return static_cast<std::uint64_t>(n); };
  tensors_.push_back({to + "attn_k_b.weight", {size(s.n_nope), size(s.n_latent), size(s.n_heads)}, {kv_b}, HfTensor::Part::k_b});
  tensors_.push_back({to + "attn_v_b.weight", {size(s.n_latent), size(s.n_value), size(s.n_heads)}, {kv_b}, HfTensor::Part::v_b});
}

void HfTensors::add_ffn(const std::string& to, const std::string& suffix, const std::string& from, int n_ff) {
  matrix(to + "ffn_gate" + suffix + ".weight", from + "gate_proj.weight", n_ff, c_.n_embd);
  matrix(to + "ffn_up" + suffix + ".weight", from + "up_proj.weight", n_ff, c_.n_embd);
  matrix(to + "ffn_down" + suffix + ".weight", from + "down_proj.weight", c_.n_embd, n_ff);
}

void HfTensors::add_experts(const std::string& to, const std::string& from) {
  const int n = c_.router.n_experts, n_ff = c_.n_ff_expert;
  matrix(to + "ffn_gate_inp.weight", from + "gate.weight", n, c_.n_embd);
  tensors_.back().is_matrix = false;
  if (c_.router.gating == moe::Gating::sigmoid) vector(to + "exp_probs_b.bias", from + "gate.e_score_correction_bias", n);
  const auto experts = [&](const char* part, const char* name, std::int64_t rows, std::int64_t cols) {
    HfTensor& stack = tensors_.emplace_back();
    stack.name = to + part;
    stack.shape = {unsigned_of(cols), unsigned_of(rows), unsigned_of(n)};
    for (int e = 0; e < n; ++e) {
      stack.sources.push_back(source(fmt::format("{}experts.{}.{}.weight", from, e, name), {rows, cols}));
      if (stack.sources.back().type != stack.sources.front().type && !form_.split_latent)
        fail(Status::unsupported,
             "{}: tensor {}experts.{}.{}.weight is of another dtype than the expert before: convert the folder with mla-convert", folder_,
             from, e, name);
    }
  };
  experts("ffn_gate_exps.weight", "gate_proj", n_ff, c_.n_embd);
  experts("ffn_up_exps.weight", "up_proj", n_ff, c_.n_embd);
  experts("ffn_down_exps.weight", "down_proj", c_.n_embd, n_ff);
  if (c_.n_experts_shared > 0) add_ffn(to, "_shexp", from + "shared_experts.", n_ff * c_.n_experts_shared);
}

// What a layer of multi-token prediction has beside those of the model. Where the embedding or the output are the model's own, folders
// may leave them out.
void HfTensors::add_mtp(const std::string& to, const std::string& from) {
  matrix(to + "eh_proj.weight", from + "eh_proj.weight", c_.n_embd, std::int64_t{2} * c_.n_embd);
  vector(to + "enorm.weight", from + "enorm.weight", c_.n_embd);
  vector(to + "hnorm.weight", from + "hnorm.weight", c_.n_embd);
  for (const auto& [part, name] :
       {std::pair{"embed_tokens.weight", "embed_tokens.weight"}, {"shared_head_head.weight", "shared_head.head.weight"}})
    if (weights_.find(from + name) != nullptr) matrix(to + part, from + name, c_.n_vocab, c_.n_embd);
  vector(to + "shared_head_norm.weight", from + "shared_head.norm.weight", c_.n_embd);
}

void HfTensors::vector(const std::string& to, const std::string& from, std::int64_t n) {
  const Matrix row = source(from, {n});
  tensors_.push_back({to, {unsigned_of(n)}, {row}});
  tensors_.back().is_matrix = false;
}

void HfTensors::matrix(const std::string& to, const std::string& from, std::int64_t rows, std::int64_t cols) {
  tensors_.push_back({to, {unsigned_of(cols), unsigned_of(rows)}, {source(from, {rows, cols})}});
}

const SafetensorsTensor& HfTensors::require(const std::string& name, const std::vector<std::int64_t>& shape) {
  const SafetensorsTensor* tensor = weights_.find(name);
  if (tensor == nullptr) fail(Status::bad_file, "{}: tensor {} is missing", folder_, name);
  if (!has_shape(*tensor, shape)) fail(Status::bad_file, "{}: tensor {} has another shape than config.json demands", *tensor->path, name);
  used_.insert(name);
  return *tensor;
}

Matrix HfTensors::source(const std::string& name, const std::vector<std::int64_t>& shape) {
  const SafetensorsTensor& tensor = require(name, shape);
  const std::int64_t cols = shape.back(), rows = shape.size() == 1 ? 1 : shape[0];
  Matrix matrix{tensor.data, float_type(tensor, name, is_fp8_ && shape.size() == 2), rows, cols, 0};
  matrix.row_bytes = quant::row_bytes(matrix.type, cols);
  if (matrix.type == Type::f8_e4m3) matrix.scales = scales_of(name + "_scale_inv", rows, cols);
  return matrix;
}

BlockScales HfTensors::scales_of(const std::string& name, std::int64_t rows, std::int64_t cols) {
  const std::int64_t n_rows = BlockScales::blocks(rows), n_cols = BlockScales::blocks(cols);
  const SafetensorsTensor& tensor = require(name, {n_rows, n_cols});
  const Type type = float_type(tensor, name, false);
  if (type == Type::f32 && reinterpret_cast<std::uintptr_t>(tensor.data) % alignof(float) == 0)
    return {reinterpret_cast<const float*>(tensor.data), n_cols};
  std::vector<float>& floats = scales_.emplace_back(static_cast<std::size_t>(n_rows * n_cols));
  quant::dequantize(type, tensor.data, floats.data(), n_rows * n_cols);
  return {floats.data(), n_cols};
}

// A tensor that nobody asked for may belong to the mathematics (a bias, say), unless it is known not to.
void HfTensors::refuse_unused(LogSink* log) const {
  std::size_t n_mtp = 0;
  for (const auto& [name, tensor] : weights_.tensors()) {
    if (used_.contains(name) || name.ends_with(".rotary_emb.inv_freq") || (tied_ && name == "lm_head.weight")) continue;
    if (form_.mtp || !is_mtp(name))
      fail(Status::unsupported, "{}: tensor {} is not part of a model that this version knows", *tensor.path, name);
    ++n_mtp;
  }
  if (n_mtp > 0 && log != nullptr)
    log->write(LogLevel::info, fmt::format("{}: {} tensors of multi-token prediction are left out", folder_, n_mtp));
}

bool HfTensors::is_mtp(std::string_view name) const {
  constexpr std::string_view layers = "model.layers.";
  int layer = -1;
  if (name.starts_with(layers)) std::from_chars(name.data() + layers.size(), name.data() + name.size(), layer);
  return layer >= c_.shape.n_layers && layer < c_.shape.n_layers + c_.n_mtp_layers;
}

std::uint64_t HfTensors::fingerprint() const {
  platform::Checksum sum;
  const auto number = [&](std::uint64_t value) { sum.update(&value, sizeof value); };
  std::set<std::string> paths;
  for (const auto& [name, tensor] : weights_.tensors()) {
    sum.update(name.data(), name.size());
    sum.update(tensor.dtype.data(), tensor.dtype.size());
    number(tensor.bytes);
    paths.insert(*tensor.path);
  }
  for (const std::string& path : paths) {
    sum.update(path.data(), path.size());
    number(platform::change_time(path));
  }
  return sum.value();
}

}  // namespace mla::model
