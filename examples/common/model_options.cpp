#include "common/model_options.hpp"

#include <filesystem>
#include <limits>
#include <vector>

#include "common/program.hpp"

namespace program {

std::vector<std::string> attention_names() {
  using enum mla::AttentionMode;
  return {to_string(automatic), to_string(deepseek2), to_string(deepseek_mla)};
}

std::vector<std::string> cache_type_names() {
  std::vector<std::string> names;
  for (const mla::CacheType type : mla::all_cache_types) names.emplace_back(to_string(type));
  return names;
}

void add_deterministic_flag(CLI::App& app, ModelFlags& flags) {
  app.add_flag("--deterministic", flags.deterministic, "the same logits to the last bit whatever the threads, batches and neighbours; prompts take longer");
}

void add_repack_flags(CLI::App& app, ModelFlags& flags) {
  app.add_option("--load-type", flags.load_type,
                 "of a Hugging Face folder: the type that its matrices get in memory, q8_0 say; without it, they are "
                 "used as the files have them");
  auto* const repack = app.add_flag("--repack", flags.repack,
                                    "repack the weights when they are loaded, or fail if the copy doesn't fit in memory; "
                                    "without this and --no-repack, where it helps and fits");
  app.add_flag("--no-repack", flags.no_repack, "use the weights as the file has them: loads at once, runs more slowly")->excludes(repack);
  app.add_flag("--no-huge-pages", flags.no_huge_pages, "don't ask for huge pages for repacked weights");
}

std::vector<std::string> numa_names() {
  using enum mla::Numa;
  return {to_string(none), to_string(distribute), to_string(isolate), to_string(numactl), to_string(split), to_string(replicate)};
}

void add_model_flags(CLI::App& app, ModelFlags& flags, const std::string& n_ctx_help, bool demo_model) {
  auto* model =
      app.add_option("-m,--model", flags.model, "model file (GGUF; of a split model any part) or Hugging Face folder")->check(file_name());
  if (demo_model)
    model->description(model->get_description() + "; without it, the demo model that ships with the source");
  else
    model->required();
  app.add_option("-t,--threads", flags.n_threads, "threads that generate; 0: one for each (fast) core this process may use")
      ->check(whole_number(0, mla::max_threads))->capture_default_str();
  app.add_option("--threads-batch,--tb", flags.n_threads_batch, "threads that read prompts; 0: as many as generate")
      ->check(whole_number(0, mla::max_threads))->capture_default_str();
  app.add_option("-c,--ctx-size", flags.n_ctx, n_ctx_help)->check(whole_number(0, std::numeric_limits<int>::max()));
  app.add_option("--ubatch-size,--ub", flags.n_ubatch, "tokens computed at once")
      ->check(whole_number(1, 65536))->capture_default_str();
  app.add_option("--attention", flags.attention, "how attention is computed and what the cache holds")
      ->check(CLI::IsMember(attention_names()))->capture_default_str();
  const CLI::IsMember type(cache_type_names());
  app.add_option("--cache-type", flags.cache_type, "number format of the KV cache")->check(type)->capture_default_str();
  app.add_option("--cache-type-k", flags.cache_type_k, "the same for keys (or latent rows) only")->check(type);
  app.add_option("--cache-type-v", flags.cache_type_v, "the same for values only (the latent cache has none)")->check(type);
  add_deterministic_flag(app, flags);
  app.add_flag("--no-mmap", flags.no_mmap, "read the model into memory instead of mapping it");
  add_repack_flags(app, flags);
  app.add_option("--numa", flags.numa, "threads and memory on machines with several memory nodes")
      ->check(CLI::IsMember(numa_names()))
      ->capture_default_str();
  app.add_flag("--pin", flags.pin, "bind each thread to a processor");
  app.add_flag("-v,--verbose", flags.verbose, "more messages, and speed, on standard error");
}

std::string demo_model_path() {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const fs::path& folder : {fs::path(MLA_DEMO_MODEL_DIR), program / "../examples/models", program / "../../examples/models",
                                 program / "../share/mla"})
    if (const fs::path file = folder / "demo-f16.gguf"; fs::exists(file, ignored)) return file.lexically_normal().string();
  throw Failure("the demo model demo-f16.gguf is neither in " MLA_DEMO_MODEL_DIR " nor beside the program: name a model with -m");
}

std::string model_path(const ModelFlags& flags) { return flags.model.empty() ? demo_model_path() : flags.model; }

mla::ModelOptions model_options(const ModelFlags& flags) {
  mla::ModelOptions options;
  options.use_mmap = !flags.no_mmap;
  options.load_type = flags.load_type;
  options.repack = flags.repack ? mla::RepackMode::always : flags.no_repack ? mla::RepackMode::never : mla::RepackMode::automatic;
  options.huge_pages = !flags.no_huge_pages;
  options.n_threads = flags.n_threads;
  options.numa = mla::parse_numa(flags.numa);
  options.log = log(flags.verbose ? mla::LogLevel::debug : mla::LogLevel::warning);
  options.progress = progress();
  return options;
}

std::shared_ptr<const mla::Model> load_model(const ModelFlags& flags) { return mla::Model::load(model_path(flags), model_options(flags)); }

mla::ContextOptions context_options(const ModelFlags& flags, int n_ctx) {
  mla::ContextOptions options;
  options.attention = mla::parse_attention_mode(flags.attention);
  options.n_ctx = n_ctx;
  options.n_ubatch = flags.n_ubatch;
  options.cache_type_k = mla::parse_cache_type(flags.cache_type_k.empty() ? flags.cache_type : flags.cache_type_k);
  options.cache_type_v = mla::parse_cache_type(flags.cache_type_v.empty() ? flags.cache_type : flags.cache_type_v);
  options.n_threads = flags.n_threads;
  options.n_threads_batch = flags.n_threads_batch;
  options.pin_threads = flags.pin;
  options.deterministic = flags.deterministic;
  options.abort = interrupted;
  return options;
}

}  // namespace program
