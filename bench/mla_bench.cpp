// mla-bench: tokens per second of prompts and generation, for each attention mode, cache type and depth.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <random>

#include <mla/context.hpp>
#include <mla/version.hpp>

#include "common/model_options.hpp"
#include "common/program.hpp"
#include "report.hpp"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Flags {
  program::ModelFlags model;  // of its lists, the one value in work
  std::vector<int> prompts = {512}, generations = {64}, depths = {0}, threads = {0}, ubatches = {512};
  std::vector<std::string> attention = {"auto"}, cache_types = {"f16"}, outputs = {"md"};
  int repetitions = 3;
};

void declare(CLI::App& app, Flags& f) {
  const CLI::Validator tokens = program::whole_number(0, 1 << 24);
  const auto list = [&](const char* name, auto& values, const char* help) {
    return app.add_option(name, values, help)->delimiter(',')->capture_default_str();
  };
  app.add_option("-m,--model", f.model.model, "model file (GGUF); without it, the demo model that ships with the source")
      ->check(program::file_name());
  list("-p,--n-prompt", f.prompts, "prompt tokens; 0: none")->check(tokens);
  list("-n,--n-gen", f.generations, "tokens generated one by one; 0: none")->check(tokens);
  list("-d,--depth", f.depths, "tokens in the cache beforehand")->check(tokens);
  list("--attention", f.attention, "attention modes")->check(CLI::IsMember(program::attention_names()));
  list("--cache-type", f.cache_types, "number formats of the KV cache")->check(CLI::IsMember(program::cache_type_names()));
  list("-t,--threads", f.threads, "threads; 0: the processors there are")->check(program::whole_number(0, 4096));
  list("--ubatch-size,--ub", f.ubatches, "tokens computed at once")->check(program::whole_number(1, 65536));
  list("-o,--output", f.outputs, "formats to print: md, json, csv")->check(CLI::IsMember({"md", "json", "csv"}));
  app.add_option("-r,--repetitions", f.repetitions, "measurements of each cell, after one that does not count")
      ->check(program::whole_number(1, 1000))->capture_default_str();
  app.add_flag("--no-mmap", f.model.no_mmap, "read the model into memory instead of mapping it");
}

// One context, filled to a depth; each measurement starts there.
class Bench {
 public:
  Bench(const std::shared_ptr<const mla::Model>& model, const program::ModelFlags& flags, int depth, int longest)
      : context_(model, program::context_options(flags, depth + longest)), depth_(depth), random_(1),
        token_(0, model->info().n_vocab - 1) {
    process(depth, context_.options().n_ubatch);
  }

  int n_threads() const { return context_.n_threads(); }

  /// Tokens per second of `n` random tokens, `chunk` at a time.
  double rate(int n, int chunk) {
    context_.cache().seq_rm(0, depth_);
    const auto start = Clock::now();
    process(n, chunk);
    return n / seconds_since(start);
  }

 private:
  void process(int n, int chunk) {
    mla::Position position = std::max(context_.cache().seq_pos_max(0) + 1, 0);
    for (int done = 0; done < n; done += chunk) {
      mla::Batch batch;
      for (int i = done; i < std::min(done + chunk, n); ++i) batch.add(token_(random_), position++, 0, i + 1 == std::min(done + chunk, n));
      context_.decode(batch);
    }
  }

  mla::Context context_;
  int depth_;
  std::mt19937 random_;
  std::uniform_int_distribution<mla::Token> token_;
};

// Runs the cells that share a context.
void measure(const Flags& flags, const std::shared_ptr<const mla::Model>& model, const bench::Result& cell, std::vector<bench::Result>& results) {
  const int longest = std::max(*std::ranges::max_element(flags.prompts), *std::ranges::max_element(flags.generations));
  Bench bench(model, flags.model, cell.depth, std::max(longest, 1));
  const auto repeat = [&](bench::Result result, int n, int chunk) {
    if (n == 0) return;
    result.threads = bench.n_threads();
    bench.rate(n, chunk);
    for (int i = 0; i < flags.repetitions; ++i) {
      result.samples.push_back(bench.rate(n, chunk));
      if (program::stderr_is_terminal())
        std::fprintf(stderr, "\r\033[K%s %s %s: %.2f tokens/s", result.attention.c_str(), result.cache_type_k.c_str(), result.test().c_str(), result.samples.back());
    }
    results.push_back(std::move(result));
  };
  for (const int n : flags.prompts) {
    bench::Result result = cell;
    result.n_prompt = n;
    repeat(result, n, flags.model.n_ubatch);
  }
  for (const int n : flags.generations) {
    bench::Result result = cell;
    result.n_gen = n;
    repeat(result, n, 1);
  }
}

void run(Flags flags) {
  const auto start = Clock::now();
  const auto model = program::load_model(flags.model);
  const double load_seconds = seconds_since(start);
  const std::string name = std::filesystem::path(flags.model.model.empty() ? program::demo_model_path() : flags.model.model).stem().string();
  std::vector<bench::Result> results;
  for (const std::string& attention : flags.attention)
    for (const std::string& cache_type : flags.cache_types)
      for (const int threads : flags.threads)
        for (const int ubatch : flags.ubatches)
          for (const int depth : flags.depths) {
            flags.model.attention = attention, flags.model.cache_type = cache_type;
            flags.model.n_threads = threads, flags.model.n_ubatch = ubatch;
            bench::Result cell;
            cell.model = name, cell.attention = attention, cell.cache_type_k = cell.cache_type_v = cache_type;
            cell.ubatch = ubatch, cell.depth = depth;
            measure(flags, model, cell, results);
          }
  if (program::stderr_is_terminal()) std::fprintf(stderr, "\r\033[K");
  for (const std::string& output : flags.outputs) program::print(bench::format(results, output));
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  std::fprintf(stderr, "loaded in %.2f s; resident memory at most %.0f MiB, of which weights %.0f MiB (%s)\n", load_seconds,
               static_cast<double>(usage.ru_maxrss) / 1024, static_cast<double>(model->info().weight_bytes) / (1 << 20), mla::isa_name());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Tokens per second of prompts (pp) and generation (tg). Lists are separated by commas; every combination is measured.", "mla-bench");
  Flags flags;
  declare(app, flags);
  return program::run(app, argc, argv, [&] { run(flags); });
}
