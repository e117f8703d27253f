// From a GGUF file, or a Hugging Face folder, to a LoadedModel.
#include "model/derive.hpp"
#include "model/fingerprint.hpp"
#include "model/hf_folder.hpp"
#include "model/repack.hpp"
#include "model/tensor_reader.hpp"
#include "platform/fail.hpp"
#include "quant/interleaving.hpp"

namespace mla::model {
namespace {

class Loader {
 public:
  Loader(LoadedModel& model, const ModelOptions& options)
      : m_(model), c_(model.config), options_(options), tensors_(model, options, [this] { report(); }) {}

  void run() {
    read_outer();
    // One by one: a damaged block_count then meets a missing tensor before it takes memory.
    for (int layer = 0; layer < c_.shape.n_layers; ++layer) {
      layers_done_ = layer;
      report();
      LayerWeights& w = m_.layers.emplace_back();
      const std::string name = fmt::format("blk.{}.", layer);
      read_attention(name, w);
      read_latent(name, w);
      if (c_.has_experts(layer))
        read_experts(name, w);
      else
        w.dense = read_ffn(name + "ffn_{}", c_.n_ff);
    }
    tensors_.refuse_unread(c_.shape.n_layers, c_.shape.n_layers + c_.n_mtp_layers);
    layers_done_ = c_.shape.n_layers;
    report();
  }

 private:
  void report() const {
    const auto total = static_cast<std::uint64_t>(c_.shape.n_layers);
    if (options_.progress && !options_.progress("derive", static_cast<std::uint64_t>(layers_done_), total))
      fail(Status::aborted, "loading {} was cancelled", m_.file.path());
  }

  void read_outer() {
    const format::TensorInfo* embedding = m_.file.find("token_embd.weight");
    if (embedding != nullptr && embedding->shape.size() == 2 && embedding->shape[1] <= (1u << 24)) {
      const int rows = static_cast<int>(embedding->shape[1]);
      if (c_.n_vocab != 0 && c_.n_vocab != rows)
        fail(Status::bad_file, "{}: tensor token_embd.weight has {} rows, and deepseek2.vocab_size is {}", m_.file.path(), rows, c_.n_vocab);
      c_.n_vocab = rows;
    }
    if (embedding != nullptr && quant::find_interleaving(embedding->type) != nullptr)
      fail(Status::bad_file, "{}: tensor token_embd.weight is of type {}, but rows of the embedding are never interleaved: make the file anew",
           m_.file.path(), quant::type_name(embedding->type));
    m_.token_embedding = tensors_.matrix("token_embd", c_.n_vocab, c_.n_embd);
    m_.output_norm = tensors_.vector("output_norm.weight", c_.n_embd);
    // Models with tied embeddings have no matrix of their own for the output.
    m_.output = tensors_.has("output.weight") ? tensors_.matrix("output", c_.n_vocab, c_.n_embd) : m_.token_embedding;
  }

  void read_attention(const std::string& name, LayerWeights& w) {
    const CacheShape& s = c_.shape;
    const std::int64_t q_rows = std::int64_t{s.n_heads} * (s.n_nope + s.n_rope);
    w.attention_norm = tensors_.vector(name + "attn_norm.weight", c_.n_embd);
    if (c_.q_lora_rank == 0) {
      w.q = tensors_.matrix(name + "attn_q", q_rows, c_.n_embd);
    } else {
      w.q_a = tensors_.matrix(name + "attn_q_a", c_.q_lora_rank, c_.n_embd);
      w.q_a_norm = tensors_.vector(name + "attn_q_a_norm.weight", c_.q_lora_rank);
      w.q_b = tensors_.matrix(name + "attn_q_b", q_rows, c_.q_lora_rank);
    }
    w.kv_a = tensors_.matrix(name + "attn_kv_a_mqa", s.n_latent + s.n_rope, c_.n_embd);
    w.kv_a_norm = tensors_.vector(name + "attn_kv_a_norm.weight", s.n_latent);
    w.attention_out = tensors_.matrix(name + "attn_output", c_.n_embd, std::int64_t{s.n_heads} * s.n_value);
    w.ffn_norm = tensors_.vector(name + "ffn_norm.weight", c_.n_embd);
  }

  // kv_b holds for each head its nope rows, then its value rows; k_b is the transpose of the former.
  void read_latent(const std::string& name, LayerWeights& w) {
    const CacheShape& s = c_.shape;
    attention::LatentWeights& latent = w.latent;
    if (tensors_.has(name + "attn_kv_b.weight")) {
      const kernels::MatrixStack kv_b = tensors_.stack(name + "attn_kv_b", s.n_heads, s.n_nope + s.n_value, s.n_latent);
      latent.k_nope = {kv_b.first.slice(0, s.n_nope), kv_b.count, kv_b.stride};
      latent.v_b = {kv_b.first.slice(s.n_nope, s.n_value), kv_b.count, kv_b.stride};
    }
    const bool has_k = tensors_.has(name + "attn_k_b.weight"), has_v = tensors_.has(name + "attn_v_b.weight");
    if (has_k != has_v || (!latent.v_b && !has_k))
      fail(Status::bad_file, "{}: tensor {}{} is missing", m_.file.path(), name,
           !latent.v_b && !has_k && !has_v ? "attn_kv_b.weight (or attn_k_b and attn_v_b)" : has_k ? "attn_v_b.weight" : "attn_k_b.weight");
    if (has_k) {
      latent.k_b = tensors_.stack(name + "attn_k_b", s.n_heads, s.n_latent, s.n_nope);
      latent.v_b = tensors_.stack(name + "attn_v_b", s.n_heads, s.n_value, s.n_latent);
    } else {
      latent.k_b = derive_k_b(latent.k_nope, options_.allocator, m_.derived);
    }
  }

  layers::FfnWeights read_ffn(const std::string& pattern, int n_ff) {
    const auto name = [&](const char* part) { return fmt::format(fmt::runtime(pattern), part); };
    return {tensors_.matrix(name("gate"), n_ff, c_.n_embd), tensors_.matrix(name("up"), n_ff, c_.n_embd),
            tensors_.matrix(name("down"), c_.n_embd, n_ff)};
  }

  void read_experts(const std::string& name, LayerWeights& w) {
    const int n = c_.router.n_experts, n_ff = c_.n_ff_expert;
    w.experts.router = tensors_.matrix(name + "ffn_gate_inp", n, c_.n_embd);
    for (const char* bias : {"exp_probs_b.bias", "exp_probs_b"})
      if (w.experts.bias == nullptr && tensors_.has(name + bias)) w.experts.bias = tensors_.vector(name + bias, n);
    w.experts.gate = tensors_.stack(name + "ffn_gate_exps", n, n_ff, c_.n_embd);
    w.experts.up = tensors_.stack(name + "ffn_up_exps", n, n_ff, c_.n_embd);
    w.experts.down = tensors_.stack(name + "ffn_down_exps", n, c_.n_embd, n_ff);
    if (c_.n_experts_shared > 0) w.dense = read_ffn(name + "ffn_{}_shexp", n_ff * c_.n_experts_shared);
  }

  LoadedModel& m_;
  Config& c_;
  const ModelOptions& options_;
  int layers_done_ = 0;
  TensorReader tensors_;
};

// A model whose file is open.
LoadedModel load(LoadedModel model, const ModelOptions& options) {
  if (options.numa != Numa::none) model.numa = platform::plan_numa(options.numa, platform::this_topology());
  model.config = read_config(model.file, options.overrides, options.log.get());
  Loader(model, options).run();
  model.fingerprint = fingerprint(model.file, options.overrides);  // before weights are repacked in place
  repack(model, options);
  for (const format::TensorInfo& tensor : model.file.tensors()) {
    std::uint64_t n = 1;
    for (const std::uint64_t size : tensor.shape) n *= size;
    model.n_parameters += n;
  }
  return model;
}

// Before anything is opened.
void check(const ModelOptions& options) {
  if (options.n_threads < 0 || options.n_threads > 4096)
    fail(Status::invalid_argument, "ModelOptions::n_threads is {}: use 0 (automatic) to 4096", options.n_threads);
}

void check_for_gguf(const ModelOptions& options) {
  if (!options.load_type.empty())
    fail(Status::invalid_argument, "ModelOptions::load_type (--load-type) is for Hugging Face folders: use mla-quantize to write a GGUF file of another type");
  if (!options.use_mmap && (options.numa == Numa::split || options.numa == Numa::replicate))
    fail(Status::invalid_argument, "NUMA mode {} takes weights out of a mapped file: leave use_mmap as it is (no --no-mmap)", to_string(options.numa));
}

LoadedModel load_folder(const std::string& path, const ModelOptions& options) {
  if (options.load_type.empty() && (options.numa == Numa::split || options.numa == Numa::replicate))
    fail(Status::unsupported,
         "{}: NUMA mode {} can't place a folder's weights where they lie: convert them as they are loaded (--load-type bf16), or to a file (mla-convert)",
         path, to_string(options.numa));
  HfFolder folder = open_hf_folder(path, options);
  LoadedModel model;
  model.file = std::move(folder.file);
  model.scales = std::move(folder.scales);
  model.derived = std::move(folder.memory);
  return load(std::move(model), options);
}

LoadedModel load(format::GgufFile file, const ModelOptions& options) {
  LoadedModel model;
  model.file = std::move(file);
  return load(std::move(model), options);
}

format::GgufFile::Options file_options(const ModelOptions& options) {
  return {.use_mmap = options.use_mmap, .allocator = options.allocator, .progress = options.progress};
}

}  // namespace

LoadedModel load_path(const std::string& path, const ModelOptions& options) {
  check(options);
  if (platform::is_directory(path)) return load_folder(path, options);
  check_for_gguf(options);
  return load(format::GgufFile::open(path, file_options(options)), options);
}

LoadedModel load_descriptor(int descriptor, const ModelOptions& options) {
  check(options);
  check_for_gguf(options);
  return load(format::GgufFile::open(descriptor, file_options(options)), options);
}

LoadedModel load_memory(std::span<const std::byte> bytes, const ModelOptions& options) {
  check(options);
  return load(format::GgufFile::borrow(bytes, file_options(options)), options);
}

}  // namespace mla::model
