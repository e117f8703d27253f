// Model: weights, sizes and vocabulary of one model file. Immutable after load.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>

#include <mla/host.hpp>
#include <mla/kv_cache.hpp>
#include <mla/tokenizer.hpp>
#include <mla/types.hpp>

namespace mla {

/// Whether weights are put into the layout that the kernels read fastest when a model is loaded. The logits are the same to the bit.
enum class RepackMode : int {
  automatic = 0,  ///< where it helps and the copy fits in memory; otherwise they are used in place, and the log says so
  always = 1,     ///< out_of_memory, before any is taken, where the copy doesn't fit
  never = 2,      ///< used in place
};

struct ModelOptions {
  bool use_mmap = true;                  ///< map the file; false reads it into memory from the allocator
  ProgressCallback progress = nullptr;   ///< phases "read", "convert", "derive", "repack"; false stops the load with Status::aborted
  std::shared_ptr<Allocator> allocator = nullptr;  ///< default_allocator()
  std::shared_ptr<LogSink> log = nullptr;          ///< silence
  RepackMode repack = RepackMode::automatic;
  bool huge_pages = true;                ///< ask for huge pages for repacked weights, which makes loading and reading them faster
  int n_threads = 0;                     ///< that repack; 0: the processors this process may use. They end with the load
  /// Threads and memory on machines with several memory nodes; contexts follow the model. Throws Error(unsupported) where there are
  /// several and libnuma is missing. Numa::split and Numa::replicate want the file mapped.
  Numa numa = Numa::none;
  /// Of a Hugging Face folder: the type (or mix: quantize_types()) that its matrices get in memory, "q8_0" say; empty: F32, F16, BF16 and FP8 are used where they are.
  std::string load_type = {};
  /// Metadata keys to take instead of the file's, e.g. {"deepseek2.expert_group_count", "8"}; values as decimal text,
  /// "true" or "false". A key that the loader does not read is an error.
  std::map<std::string, std::string> overrides = {};
};

/// The facts of a model that hosts ask for.
struct ModelInfo {
  std::string name;            ///< general.name, may be empty
  std::string architecture;    ///< "deepseek2"
  int n_vocab = 0;
  int n_embd = 0;
  int n_layers = 0;
  int n_ctx_train = 0;         ///< context length that the file states
  int n_experts = 0;           ///< routed experts of a layer; 0 for a dense model
  int n_experts_used = 0;
  std::uint64_t n_parameters = 0;
  std::uint64_t weight_bytes = 0;   ///< size of all tensors
  std::uint64_t panel_bytes = 0;    ///< of them, those that the kernels read in their own layout: repacked, or so in the file
  std::uint64_t repacked_bytes = 0;  ///< memory taken beside the file for repacked weights; 0 where they were repacked in place
  std::uint64_t derived_bytes = 0;  ///< memory taken beside the file: k_b that it lacks, rows that it has interleaved
};

class Model {
 public:
  /// Opens a GGUF file (of a split model any part may be named), or a Hugging Face folder, as mla/convert.hpp reads it.
  /// Throws Error: not_found, io_error, bad_file, unsupported, out_of_memory, aborted; names the file and the key or tensor.
  static std::shared_ptr<const Model> load(const std::string& path, const ModelOptions& options = {});
  /// Loads the GGUF file that an open descriptor refers to (a memfd, or one that another process passed), from its beginning, wherever the
  /// descriptor stands; it may be closed then. A part of a split model is refused. Throws like load(), and invalid_argument.
  static std::shared_ptr<const Model> load_descriptor(int descriptor, const ModelOptions& options = {});
  /// Loads a GGUF file that is in memory already, at an address that is a multiple of 32; a part of a split model is refused.
  /// Weights that are not repacked stay where they are, whatever use_mmap says: `bytes` must not change, and must stay until the model is gone. The
  /// model keeps `owner` for that; it may be null if the host sees to it. Throws like load(), and invalid_argument.
  static std::shared_ptr<const Model> load_memory(std::span<const std::byte> bytes, std::shared_ptr<const void> owner = nullptr,
                                                  const ModelOptions& options = {});
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const ModelInfo& info() const noexcept;
  CacheShape cache_shape() const noexcept;
  /// What KvCache::bind() wants; the fingerprint is made of the metadata, the overrides, the table of tensors and samples of their bytes.
  CacheModel cache_model() const;
  /// Throws Error(unsupported) if the file has no tokenizer that this version knows; such a model still runs on token ids.
  const Tokenizer& tokenizer() const;
  /// The file's chat template (Jinja), empty if it has none.
  const std::string& chat_template() const noexcept;

  class Impl;  ///< for the library's own use
  const Impl& impl() const noexcept { return *impl_; }

 private:
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mla
