// Config: the sizes and constants of a model, read from a file's metadata and checked against each other.
#pragma once
#include <map>
#include <mla/host.hpp>
#include <mla/kv_cache.hpp>
#include <optional>
#include <string>

#include "layers/rope.hpp"
#include "moe/router.hpp"

namespace mla::format {
class GgufFile;
}

namespace mla::model {

struct Config {
  int n_vocab = 0;
  int n_ctx_train = 0;
  int n_embd = 0;
  int n_ff = 0;            ///< width of the dense feed-forward blocks
  int n_dense_layers = 0;  ///< leading layers without experts
  int n_mtp_layers = 0;    ///< behind the model's own; not loaded
  int q_lora_rank = 0;     ///< 0: q is one matrix
  CacheShape shape;        ///< layers, heads and the widths of attention
  float rms_eps = 1e-6f;
  layers::RopeParams rope;

  moe::RouterParams router;  ///< n_experts 0: every layer is dense
  int n_ff_expert = 0;
  int n_experts_shared = 0;

  /// What q is multiplied with: mscale² / sqrt(n_nope + n_rope).
  float score_scale() const noexcept;
  bool has_experts(int layer) const noexcept { return router.n_experts > 0 && layer >= n_dense_layers; }
};

/// What can't be in any model, and the keys that say so in the two kinds of file.
struct ConfigProblem {
  const char* gguf_key;
  const char* hf_key;
  std::string why;
};
std::optional<ConfigProblem> find_problem(const Config& config);

/// Throws Error: bad_file for a key that is missing or contradicts another, unsupported for one that changes the
/// mathematics in a way that this version doesn't know; names file and key.
Config read_config(const format::GgufFile& file, const std::map<std::string, std::string>& overrides, LogSink* log);

}  // namespace mla::model
