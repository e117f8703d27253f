// mla-inspect: what is in a model file, what it takes to run it, and how two files differ.
#include <fmt/format.h>
#include <mla/error.hpp>

#include "common/model_options.hpp"
#include "common/program.hpp"
#include "inspect/shown.hpp"

namespace {

struct Flags {
  std::string path;
  std::vector<std::string> diff;
  int n_ctx = 4096, n_ubatch = mla::ContextOptions{}.n_ubatch, n_threads = 0;
  std::string cache_type = mla::to_string(mla::ContextOptions{}.cache_type_k);
  bool json = false, no_tensors = false, no_values = false;
};

void declare(CLI::App& app, Flags& f) {
  auto* model = app.add_option("model,-m,--model", f.path, "the file (of a split model any part), or a Hugging Face folder")
                    ->check(program::file_name());
  auto* diff = app.add_option("--diff", f.diff,
                              "compare two files or folders: keys, and types, sizes and values of tensors; exit status 1 if they differ")
                   ->expected(2)
                   ->check(program::file_name())
                   ->excludes(model);
  app.add_option("-c,--ctx-size", f.n_ctx, "tokens of the cache whose size is shown")
      ->check(program::whole_number(1, 1 << 30))->capture_default_str();
  app.add_option("--ubatch-size,--ub", f.n_ubatch, "tokens computed at once, for the memory that is needed")
      ->check(program::whole_number(1, 65536))->capture_default_str();
  app.add_option("--cache-type", f.cache_type, "number format of the KV cache, for the same")
      ->check(CLI::IsMember(program::cache_type_names()))->capture_default_str();
  app.add_option("-t,--threads", f.n_threads, "threads, for the same; 0: one for each (fast) core this process may use")
      ->check(program::whole_number(0, mla::max_threads))->capture_default_str();
  app.add_flag("--no-tensors", f.no_tensors, "leave out the list of tensors");
  app.add_flag("--no-values", f.no_values, "with --diff: compare keys, types and sizes only")->needs(diff);
  app.add_flag("--json", f.json, "everything as JSON");
}

// For each kind of cache; none of a model that libmla can't run, or where the cache type doesn't fit its widths.
std::vector<program::inspect::NeedRow> needs(const Flags& flags, const mla::FileInfo& info) {
  std::vector<program::inspect::NeedRow> rows;
  if (!info.problem.empty()) return rows;
  for (const auto& [name, mode] :
       {std::pair{"auto, deepseek-mla", mla::AttentionMode::automatic}, {"deepseek2", mla::AttentionMode::deepseek2}}) {
    mla::ContextOptions options;
    options.attention = mode;
    options.n_ctx = flags.n_ctx;
    options.n_ubatch = flags.n_ubatch;
    options.n_threads = flags.n_threads;
    options.cache_type_k = options.cache_type_v = mla::parse_cache_type(flags.cache_type);
    try {
      rows.push_back({name, memory_need(flags.path, options)});
    } catch (const mla::Error& error) {
      if (error.status() != mla::Status::invalid_argument) throw;
    }
  }
  return rows;
}

void show_file(const Flags& flags) {
  const mla::FileInfo info = mla::inspect_file(flags.path);
  const auto rows = needs(flags, info);
  const std::string context = fmt::format("{} tokens of cache in {}, {} computed at once", flags.n_ctx, flags.cache_type, flags.n_ubatch);
  program::print(flags.json ? as_json(info, flags.n_ctx, rows) : as_table(info, flags.n_ctx, rows, context, !flags.no_tensors));
}

bool show_difference(const Flags& flags) {
  mla::DiffOptions options;
  options.values = !flags.no_values;
  options.n_threads = flags.n_threads;
  options.progress = program::progress();
  const mla::FileDiff diff = diff_files(flags.diff[0], flags.diff[1], options);
  program::print(flags.json ? program::inspect::diff_as_json(diff) : program::inspect::diff_as_table(diff));
  return diff.empty();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Shows a GGUF file's metadata, tensors and sizes, the bytes that its KV cache takes in each attention mode, and what memory it "
      "takes to run it here; or how two files differ.",
      "mla-inspect");
  Flags flags;
  declare(app, flags);
  bool equal = true;
  const int status = program::run(app, argc, argv, [&] {
    if (flags.path.empty() && flags.diff.empty()) throw CLI::RequiredError("--model or --diff");
    flags.diff.empty() ? show_file(flags) : static_cast<void>(equal = show_difference(flags));
  });
  return status == 0 && !equal ? 1 : status;
}
