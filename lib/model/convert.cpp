// Hugging Face folder → GGUF: a plan of tensors, each with a function that loads it piece by piece, then one pass over it.
#include <mla/convert.hpp>

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>

#include "format/safetensors.hpp"
#include "model/hf_config.hpp"
#include "model/hf_vocabulary.hpp"
#include "platform/fail.hpp"
#include "quant/dequantize.hpp"
#include "quant/quantize.hpp"

namespace mla {
namespace {

using format::SafetensorsTensor;
using model::Config;
using quant::Type;

constexpr std::int64_t piece_values = std::int64_t{1} << 22;  // bounds the memory that a tensor takes

// A tensor of the output, and how its rows are loaded: piece by piece, whole rows of floats.
struct Job {
  std::string name;
  std::vector<std::uint64_t> shape;  // row width first
  Type type;
  std::int64_t n_pieces;
  std::function<void(std::int64_t piece, std::vector<float>& rows)> load;
};

Type dtype_of(const SafetensorsTensor& tensor, const std::string& name) {
  if (tensor.dtype == "F32") return Type::f32;
  if (tensor.dtype == "F16") return Type::f16;
  if (tensor.dtype == "BF16") return Type::bf16;
  fail(Status::unsupported, "{}: tensor {} is of dtype {}: only F32, F16 and BF16 can be converted", *tensor.path, name, tensor.dtype);
}

class Plan {
 public:
  Plan(const std::string& folder, const model::HfModel& model, Type type, LogSink* log)
      : c_(model.config), tied_(model.tied_embeddings), weights_(format::SafetensorsFolder::open(folder)), folder_(folder), type_(type), log_(log) {
    matrix("token_embd", "model.embed_tokens.weight", c_.n_vocab, c_.n_embd);
    for (int layer = 0; layer < c_.shape.n_layers; ++layer) add_layer(layer);
    vector("output_norm.weight", "model.norm.weight", c_.n_embd);
    matrix("output", tied_ ? "model.embed_tokens.weight" : "lm_head.weight", c_.n_vocab, c_.n_embd);
    refuse_unused();
  }

  const std::vector<Job>& jobs() const noexcept { return jobs_; }

  /// Throws if `output` is one of the files that the model is read from.
  void protect_inputs(const std::string& output) const {
    std::set<std::string> inputs;
    for (const char* name : {"config.json", "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"})
      inputs.insert(folder_ + "/" + name);
    for (const auto& [name, tensor] : weights_.tensors()) inputs.insert(*tensor.path);
    for (const std::string& input : inputs)
      if (platform::is_same_file(input, output))
        fail(Status::invalid_argument, "{}: the output would replace {}, which it is made from: choose another name", output, input);
  }

 private:
  void add_layer(int layer) {
    const CacheShape& s = c_.shape;
    const std::string to = fmt::format("blk.{}.", layer), from = fmt::format("model.layers.{}.", layer), attn = from + "self_attn.";
    const std::int64_t q_rows = std::int64_t{s.n_heads} * (s.n_nope + s.n_rope);
    vector(to + "attn_norm.weight", from + "input_layernorm.weight", c_.n_embd);
    if (c_.q_lora_rank == 0) {
      matrix(to + "attn_q", attn + "q_proj.weight", q_rows, c_.n_embd);
    } else {
      matrix(to + "attn_q_a", attn + "q_a_proj.weight", c_.q_lora_rank, c_.n_embd);
      vector(to + "attn_q_a_norm.weight", attn + "q_a_layernorm.weight", c_.q_lora_rank);
      matrix(to + "attn_q_b", attn + "q_b_proj.weight", q_rows, c_.q_lora_rank);
    }
    matrix(to + "attn_kv_a_mqa", attn + "kv_a_proj_with_mqa.weight", s.n_latent + s.n_rope, c_.n_embd);
    vector(to + "attn_kv_a_norm.weight", attn + "kv_a_layernorm.weight", s.n_latent);
    add_latent(to, attn + "kv_b_proj.weight");
    matrix(to + "attn_output", attn + "o_proj.weight", c_.n_embd, std::int64_t{s.n_heads} * s.n_value);
    vector(to + "ffn_norm.weight", from + "post_attention_layernorm.weight", c_.n_embd);
    if (c_.has_experts(layer))
      add_experts(to, from + "mlp.");
    else
      add_ffn(to, "", from + "mlp.", c_.n_ff);
  }

  // Rows of kv_b are, for each head, N of the key and V of the value. k_b is the transpose of a head's key rows.
  void add_latent(const std::string& to, const std::string& from) {
    const CacheShape& s = c_.shape;
    const std::int64_t per_head = s.n_nope + s.n_value;
    const SafetensorsTensor& kv_b = require(from, {s.n_heads * per_head, s.n_latent});
    const Type dtype = dtype_of(kv_b, from);
    const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
    const auto load_rows = [=, &kv_b](std::int64_t first, std::int64_t n, std::vector<float>& rows) {
      rows.resize(size(n * s.n_latent));
      quant::dequantize(dtype, kv_b.data + quant::row_bytes(dtype, s.n_latent) * size(first), rows.data(), n * s.n_latent);
    };
    add(to + "attn_k_b.weight", {size(s.n_nope), size(s.n_latent), size(s.n_heads)}, s.n_heads,
        [=](std::int64_t head, std::vector<float>& rows) {
          std::vector<float> keys;
          load_rows(head * per_head, s.n_nope, keys);
          rows.resize(keys.size());
          for (std::int64_t r = 0; r < s.n_latent; ++r)
            for (std::int64_t n = 0; n < s.n_nope; ++n) rows[size(r * s.n_nope + n)] = keys[size(n * s.n_latent + r)];
        });
    add(to + "attn_v_b.weight", {size(s.n_latent), size(s.n_value), size(s.n_heads)}, s.n_heads,
        [=](std::int64_t head, std::vector<float>& rows) { load_rows(head * per_head + s.n_nope, s.n_value, rows); });
  }

  void add_ffn(const std::string& to, const std::string& suffix, const std::string& from, int n_ff) {
    matrix(to + "ffn_gate" + suffix, from + "gate_proj.weight", n_ff, c_.n_embd);
    matrix(to + "ffn_up" + suffix, from + "up_proj.weight", n_ff, c_.n_embd);
    matrix(to + "ffn_down" + suffix, from + "down_proj.weight", c_.n_embd, n_ff);
  }

  void add_experts(const std::string& to, const std::string& from) {
    const int n = c_.router.n_experts, n_ff = c_.n_ff_expert;
    stack(to + "ffn_gate_inp.weight", 1, [&](int) { return from + "gate.weight"; }, n, c_.n_embd, Type::f32);
    if (c_.router.gating == moe::Gating::sigmoid) vector(to + "exp_probs_b.bias", from + "gate.e_score_correction_bias", n);
    const auto experts = [&](const char* part, const char* source, std::int64_t rows, std::int64_t cols) {
      stack(to + part, n, [&](int e) { return fmt::format("{}experts.{}.{}.weight", from, e, source); }, rows, cols, type_for(to + part, cols));
    };
    experts("ffn_gate_exps.weight", "gate_proj", n_ff, c_.n_embd);
    experts("ffn_up_exps.weight", "up_proj", n_ff, c_.n_embd);
    experts("ffn_down_exps.weight", "down_proj", c_.n_embd, n_ff);
    if (c_.n_experts_shared > 0) add_ffn(to, "_shexp", from + "shared_experts.", n_ff * c_.n_experts_shared);
  }

  void vector(const std::string& to, const std::string& from, std::int64_t n) {
    const SafetensorsTensor& tensor = require(from, {n});
    const Type dtype = dtype_of(tensor, from);
    jobs_.push_back({to, {static_cast<std::uint64_t>(n)}, Type::f32, 1, [=, &tensor](std::int64_t, std::vector<float>& row) {
                       row.resize(static_cast<std::size_t>(n));
                       quant::dequantize(dtype, tensor.data, row.data(), n);
                     }});
  }

  void matrix(const std::string& to, const std::string& from, std::int64_t rows, std::int64_t cols) {
    stack(to + ".weight", 1, [&](int) { return from; }, rows, cols, type_for(to + ".weight", cols));
  }

  // One matrix, or several one after another.
  void stack(const std::string& to, int count, const std::function<std::string(int)>& from, std::int64_t rows, std::int64_t cols, Type type) {
    std::vector<std::pair<const SafetensorsTensor*, Type>> sources;
    for (int i = 0; i < count; ++i) {
      const std::string name = from(i);
      const SafetensorsTensor& tensor = require(name, {rows, cols});
      sources.emplace_back(&tensor, dtype_of(tensor, name));
    }
    const std::int64_t piece_rows = std::clamp<std::int64_t>(piece_values / cols, 1, rows), pieces = (rows + piece_rows - 1) / piece_rows;
    std::vector<std::uint64_t> shape{static_cast<std::uint64_t>(cols), static_cast<std::uint64_t>(rows)};
    if (count > 1) shape.push_back(sources.size());
    jobs_.push_back({to, shape, type, pieces * static_cast<std::int64_t>(sources.size()), [=](std::int64_t piece, std::vector<float>& out) {
                       const auto [tensor, dtype] = sources[static_cast<std::size_t>(piece / pieces)];
                       const std::int64_t first = piece % pieces * piece_rows, n = std::min(piece_rows, rows - first) * cols;
                       out.resize(static_cast<std::size_t>(n));
                       quant::dequantize(dtype, tensor->data + quant::row_bytes(dtype, cols) * static_cast<std::size_t>(first), out.data(), n);
                     }});
  }

  void add(const std::string& to, std::vector<std::uint64_t> shape, std::int64_t pieces,
           std::function<void(std::int64_t, std::vector<float>&)> load) {
    const Type type = type_for(to, static_cast<std::int64_t>(shape[0]));
    jobs_.push_back({to, std::move(shape), type, pieces, std::move(load)});
  }

  Type type_for(const std::string& name, std::int64_t cols) {
    if (cols % quant::traits(type_).block_size == 0) return type_;
    if (log_ != nullptr)
      log_->write(LogLevel::info, fmt::format("{}: rows of {} values don't fit {}: stored as F16", name, cols, quant::traits(type_).name));
    return Type::f16;
  }

  const SafetensorsTensor& require(const std::string& name, std::vector<std::int64_t> shape) {
    const SafetensorsTensor* tensor = weights_.find(name);
    if (tensor == nullptr) fail(Status::bad_file, "{}: tensor {} is missing", folder_, name);
    if (!std::ranges::equal(tensor->shape, shape, [](std::uint64_t a, std::int64_t b) { return a == static_cast<std::uint64_t>(b); }))
      fail(Status::bad_file, "{}: tensor {} has another shape than config.json demands", *tensor->path, name);
    used_.insert(name);
    return *tensor;
  }

  // A tensor that nobody asked for may belong to the mathematics (a bias, say), unless it is known not to.
  void refuse_unused() const {
    std::size_t n_mtp = 0;
    for (const auto& [name, tensor] : weights_.tensors()) {
      if (used_.contains(name) || name.ends_with(".rotary_emb.inv_freq") || (tied_ && name == "lm_head.weight")) continue;
      if (!is_mtp(name)) fail(Status::unsupported, "{}: tensor {} is not part of a model that this version knows", *tensor.path, name);
      ++n_mtp;
    }
    if (n_mtp > 0 && log_ != nullptr)
      log_->write(LogLevel::warning, fmt::format("{}: {} tensors of multi-token prediction are not converted", folder_, n_mtp));
  }

  bool is_mtp(std::string_view name) const {
    constexpr std::string_view layers = "model.layers.";
    int layer = -1;
    if (name.starts_with(layers)) std::from_chars(name.data() + layers.size(), name.data() + name.size(), layer);
    return layer >= c_.shape.n_layers && layer < c_.shape.n_layers + c_.n_mtp_layers;
  }

  Config c_;
  bool tied_;
  format::SafetensorsFolder weights_;
  std::string folder_;
  Type type_;
  LogSink* log_;
  std::vector<Job> jobs_;
  std::set<std::string> used_;
};

Type target_type(const std::string& name) {
  const auto type = quant::parse_type(name);
  if (type && (*type == Type::f32 || *type == Type::f16 || *type == Type::bf16 || *type == Type::q8_0)) return *type;
  fail(Status::invalid_argument, "can't convert to type '{}': use f32, f16, bf16 or q8_0", name);
}

std::uint32_t file_type(Type type) {  // llama.cpp's numbers
  return type == Type::f32 ? 0 : type == Type::f16 ? 1 : type == Type::q8_0 ? 7 : 32;
}

std::uint64_t bytes_of(const Job& job) {
  std::uint64_t rows = 1;
  for (std::size_t i = 1; i < job.shape.size(); ++i) rows *= job.shape[i];
  return rows * quant::row_bytes(job.type, static_cast<std::int64_t>(job.shape[0]));
}

void write_tensors(format::GgufWriter& writer, const std::vector<Job>& jobs, const ConvertOptions& options, const std::string& output) {
  std::uint64_t total = 0, done = 0;
  for (const Job& job : jobs) total += bytes_of(job);
  std::vector<float> rows;
  std::vector<std::byte> blocks;
  for (const Job& job : jobs) {
    for (std::int64_t piece = 0; piece < job.n_pieces; ++piece) {
      if (options.progress && !options.progress("convert", done, total)) fail(Status::aborted, "converting to {} was cancelled", output);
      job.load(piece, rows);
      blocks.resize(quant::row_bytes(job.type, static_cast<std::int64_t>(rows.size())));
      quant::quantize(job.type, rows.data(), blocks.data(), static_cast<std::int64_t>(rows.size()));
      writer.write(blocks);
      done += blocks.size();
    }
  }
  if (options.progress) options.progress("convert", total, total);
}

std::string model_name(std::string folder) {
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  return folder.substr(folder.find_last_of('/') + 1);
}

}  // namespace

void convert_huggingface(const std::string& folder, const std::string& output, const ConvertOptions& options) {
  const Type type = target_type(options.type);
  const model::HfModel model = model::read_hf_config(folder);
  const Plan plan(folder, model, type, options.log.get());
  plan.protect_inputs(output);

  format::GgufWriter writer(output);
  writer.add_string("general.architecture", "deepseek2");
  writer.add_string("general.type", "model");
  writer.add_string("general.name", model_name(folder));
  writer.add_uint("general.file_type", file_type(type));
  writer.add_uint("general.quantization_version", 2);
  model::write_config(writer, model.config);
  model::write_hf_vocabulary(writer, folder, model.config.n_vocab, options.log.get());
  for (const Job& job : plan.jobs()) writer.add_tensor(job.name, job.shape, job.type);
  writer.begin_data();
  write_tensors(writer, plan.jobs(), options, output);
  writer.finish();
}

}  // namespace mla
