// The flags that every program with a model takes, and the model and context that they describe.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <mla/context.hpp>
#include <mla/model.hpp>

namespace program {

struct ModelFlags {
  std::string model;  ///< empty: the demo model
  int n_threads = 0, n_threads_batch = 0;  ///< 0: the library decides
  int n_ctx = 0;      ///< 0: what the program takes without the flag
  int n_ubatch = mla::ContextOptions{}.n_ubatch;
  std::string attention = "auto";
  std::string numa = "none";
  bool pin = false;
  bool deterministic = false;
  std::string cache_type = mla::to_string(mla::ContextOptions{}.cache_type_k), cache_type_k, cache_type_v;  ///< empty: cache_type
  std::string load_type;  ///< empty: as the folder has them
  bool no_mmap = false;
  bool repack = false, no_repack = false, no_huge_pages = false;
  bool verbose = false;
};

/// The names that --attention, --cache-type and --numa take.
std::vector<std::string> attention_names();
std::vector<std::string> cache_type_names();
std::vector<std::string> numa_names();

/// Declares --deterministic.
void add_deterministic_flag(CLI::App& app, ModelFlags& flags);

/// Declares --load-type --repack --no-repack --no-huge-pages.
void add_repack_flags(CLI::App& app, ModelFlags& flags);

/// Declares -m -t -tb -c -ub --attention --cache-type[-k|-v] --deterministic --no-mmap --load-type --[no-]repack --no-huge-pages -v.
/// `n_ctx_help` says what -c means to the program. The model is a must unless `demo_model` is true.
void add_model_flags(CLI::App& app, ModelFlags& flags, const std::string& n_ctx_help, bool demo_model = false);

/// The demo model that ships with the source: where it was built from, or beside the executable. Throws Failure.
std::string demo_model_path();

/// What -m names, or else the demo model.
std::string model_path(const ModelFlags& flags);

/// What the flags say; progress on a terminal, warnings (with -v all messages) to standard error.
mla::ModelOptions model_options(const ModelFlags& flags);
/// Loads the model with these options.
std::shared_ptr<const mla::Model> load_model(const ModelFlags& flags);

/// Options of a context with a cache of `n_ctx` rows; it stops after Ctrl-C.
mla::ContextOptions context_options(const ModelFlags& flags, int n_ctx);

}  // namespace program
