// mla-bench: tokens per second of prompts and generation, for each attention mode, cache type and depth.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <mla/machine.hpp>
#include <mla/version.hpp>

#include "common/model_options.hpp"
#include "common/program.hpp"
#include "explain.hpp"
#include "measure.hpp"
#include "report.hpp"
#include "svg.hpp"
#include "synthetic.hpp"
#include "text_file.hpp"

namespace {

struct Flags {
  program::ModelFlags model;  // of its lists, the one value in work
  std::string synthetic, svg, fill = "computed";
  int n_layers = 0, n_dense = -1, repetitions = 3, sweep_steps = 8;
  std::vector<int> prompts = {512}, generations = {64}, depths = {0}, threads = {0}, ubatches = {mla::ContextOptions{}.n_ubatch};
  std::vector<std::string> attention = {"auto"}, cache_types = {mla::to_string(mla::ContextOptions{}.cache_type_k)}, cache_types_k, cache_types_v, outputs = {"md"};
  bool ops = false, sweep = false, explain = false;
  std::vector<double> rates;

  bool time_ops() const { return ops || !svg.empty(); }
};

void declare_model(CLI::App& app, Flags& f) {
  auto* const model = app.add_option("-m,--model", f.model.model, "model file (GGUF) or Hugging Face folder; without it, the demo model that ships with the source")
                          ->check(program::file_name());
  auto* const synthetic =
      app.add_option("--synthetic", f.synthetic, "no file: random weights in the sizes of a model, PRESET:TYPE such as v2-lite:q4_k")
          ->check(CLI::Validator([](std::string& text) { return std::string(text.empty() ? "the name is empty" : ""); }, "PRESET:TYPE"))->excludes(model);
  app.add_option("--layers", f.n_layers, "layers of the synthetic model; without it, those of the preset")
      ->check(program::whole_number(1, 1000))->needs(synthetic);
  app.add_option("--dense-layers", f.n_dense, "of them, the first ones that have no experts")->check(program::whole_number(0, 1000))->needs(synthetic);
  app.add_flag("--no-mmap", f.model.no_mmap, "read the model into memory instead of mapping it");
  program::add_repack_flags(app, f.model);
}

void declare(CLI::App& app, Flags& f) {
  const CLI::Validator tokens = program::whole_number(0, 1 << 24);
  const auto list = [&](const char* name, auto& values, const char* help, const CLI::Validator& item) {
    program::add_list(app, name, values, help, item);
  };
  declare_model(app, f);
  list("-p,--n-prompt", f.prompts, "prompt tokens; 0: none", tokens);
  list("-n,--n-gen", f.generations, "tokens generated one by one; 0: none", tokens);
  list("-d,--depth", f.depths, "tokens in the cache beforehand", tokens);
  list("--attention", f.attention, "attention modes", CLI::IsMember(program::attention_names()));
  const CLI::IsMember type(program::cache_type_names());
  list("--cache-type", f.cache_types, "number formats of the KV cache", type);
  list("--cache-type-k", f.cache_types_k, "the same for keys (or latent rows) only", type);
  list("--cache-type-v", f.cache_types_v, "the same for values only (the latent cache has none)", type);
  list("-t,--threads", f.threads, "threads; 0: one for each fast core", program::whole_number(0, mla::max_threads));
  app.add_option("--threads-batch,--tb", f.model.n_threads_batch, "threads that read prompts; 0: as many as generate")
      ->check(program::whole_number(0, mla::max_threads));
  app.add_option("--numa", f.model.numa, "threads and memory on machines with several memory nodes")
      ->check(CLI::IsMember(program::numa_names()))->capture_default_str();
  app.add_flag("--pin", f.model.pin, "bind each thread to a processor");
  program::add_deterministic_flag(app, f.model);
  list("--ubatch-size,--ub", f.ubatches, "tokens computed at once", program::whole_number(1, 65536));
  list("-o,--output", f.outputs, "formats to print: md, json, csv", CLI::IsMember({"md", "json", "csv"}));
  app.add_option("-r,--repetitions", f.repetitions, "measurements of each cell, after one that does not count")
      ->check(program::whole_number(1, 1000))->capture_default_str();
  app.add_option("--fill", f.fill, "how the cache is filled to a depth: by computing, or with random rows, which is faster")
      ->check(CLI::IsMember({"computed", "random"}))->capture_default_str();
  app.add_flag("--ops", f.ops, "where the time went: time, bytes and multiplications of each operation, and the machine's limits");
  app.add_flag("--explain", f.explain, "which form of attention `auto` took for each ubatch, and what it went by");
  list("--attention-rates", f.rates, "what `auto` goes by, instead of measuring it: the six numbers that --explain prints", CLI::NonNegativeNumber);
  auto* const sweep = app.add_flag("--sweep", f.sweep, "measure at depths in equal steps from 0 to the largest -d");
  app.add_option("--sweep-steps", f.sweep_steps, "how many steps")->check(program::whole_number(1, 1000))->capture_default_str()->needs(sweep);
  app.add_option("--svg", f.svg, "write a plot of the rates against depth, with the machine's limits")->check(program::file_name());
}

// Makes lists of what the command line says, or throws what is wrong with it.
void complete(Flags& f) {
  if (std::ranges::max(f.prompts) == 0 && std::ranges::max(f.generations) == 0)
    throw CLI::ValidationError("-p and -n are both 0: nothing to measure");
  if (f.ops && std::ranges::find(f.outputs, "csv") != f.outputs.end())
    throw CLI::ValidationError("--ops: operations are printed with -o md or json, not csv");
  if (f.explain && f.outputs != std::vector<std::string>{"md"}) throw CLI::ValidationError("--explain: it is printed with -o md only");
  if (!f.rates.empty() && f.rates.size() != 6)
    throw CLI::ValidationError(fmt::format("--attention-rates: {} numbers, and there are six of them", f.rates.size()));
  if (f.sweep) {
    const int deepest = std::ranges::max(f.depths);
    if (deepest < f.sweep_steps) throw CLI::ValidationError(fmt::format("--sweep: -d {} leaves no room for {} steps", deepest, f.sweep_steps));
    f.depths.clear();
    for (int i = 0; i <= f.sweep_steps; ++i) f.depths.push_back(static_cast<int>(static_cast<std::int64_t>(deepest) * i / f.sweep_steps));
  }
  std::ranges::sort(f.depths);
  f.depths.erase(std::unique(f.depths.begin(), f.depths.end()), f.depths.end());
}

std::shared_ptr<const mla::Model> load(const Flags& f) {
  if (f.synthetic.empty()) return program::load_model(f.model);
  bench::SyntheticSpec spec = bench::SyntheticSpec::parse(f.synthetic);
  spec.n_layers = f.n_layers, spec.n_dense = f.n_dense;
  return bench::make_synthetic(spec, program::model_options(f.model));
}

std::string model_name(const Flags& f) {
  if (f.synthetic.empty()) return std::filesystem::path(program::model_path(f.model)).stem().string();
  return f.n_layers > 0 ? fmt::format("{}, {} layers", f.synthetic, f.n_layers) : f.synthetic;
}

// Every combination of the flags' lists, in order.
class Runs {
 public:
  Runs(const Flags& flags, std::shared_ptr<const mla::Model> model) : flags_(flags), model_(std::move(model)) {}

  std::vector<bench::Result> run() {
    for (const std::string& attention : flags_.attention)
      for (const auto& [type_k, type_v] : cache_types())
        for (const int threads : flags_.threads)
          for (const int ubatch : flags_.ubatches) {
            program::ModelFlags one = flags_.model;
            one.attention = attention, one.cache_type_k = type_k, one.cache_type_v = type_v, one.n_threads = threads, one.n_ubatch = ubatch;
            measure(one);
          }
    if (program::stderr_is_terminal()) std::fprintf(stderr, "\r\033[K");
    return std::move(results_);
  }

 private:
  std::vector<std::pair<std::string, std::string>> cache_types() const {
    std::vector<std::pair<std::string, std::string>> pairs;
    if (flags_.cache_types_k.empty() && flags_.cache_types_v.empty()) {
      for (const std::string& type : flags_.cache_types) pairs.emplace_back(type, type);
      return pairs;
    }
    for (const std::string& k : flags_.cache_types_k.empty() ? flags_.cache_types : flags_.cache_types_k)
      for (const std::string& v : flags_.cache_types_v.empty() ? flags_.cache_types : flags_.cache_types_v) pairs.emplace_back(k, v);
    return pairs;
  }

  // The cells of one combination share a context, whose cache gets deeper and deeper.
  void measure(const program::ModelFlags& one) {
    const int longest = std::max(std::ranges::max(flags_.prompts), std::ranges::max(flags_.generations));
    mla::ContextOptions options = program::context_options(one, flags_.depths.back() + longest);
    options.time_ops = flags_.time_ops();
    if (const auto& r = flags_.rates; !r.empty()) options.attention_rates = mla::AttentionRates{r[0], r[1], r[2], r[3], r[4], r[5]};
    bench::Bench bench(model_, options, flags_.fill == "random" ? bench::Fill::random : bench::Fill::computed);
    bench::Result cell{model_name(flags_), one.attention, one.cache_type_k, one.cache_type_v, bench.n_threads(), one.n_ubatch};
    if (flags_.time_ops()) cell.machine = machine(bench.n_threads());
    for (const int depth : flags_.depths) {
      bench.advance_to(depth);
      cell.depth = depth;
      for (const int n : flags_.prompts) measure(bench, cell, n, 0);
      for (const int n : flags_.generations) measure(bench, cell, 0, n);
    }
  }

  void measure(bench::Bench& bench, bench::Result cell, int n_prompt, int n_gen) {
    if (n_prompt + n_gen == 0) return;
    cell.n_prompt = n_prompt, cell.n_gen = n_gen;
    bench.measure(cell, flags_.repetitions, [](const bench::Result& r) {
      if (program::stderr_is_terminal())
        std::fprintf(stderr, "\r\033[K%s %s %s: %.2f tokens/s", r.attention.c_str(), r.cache().c_str(), r.test().c_str(), r.samples.back());
    });
    results_.push_back(std::move(cell));
  }

  const mla::MachineRates& machine(int n_threads) {
    const auto known = machines_.find(n_threads);
    return known != machines_.end() ? known->second : machines_.emplace(n_threads, mla::measure_machine(n_threads)).first->second;
  }

  const Flags& flags_;
  std::shared_ptr<const mla::Model> model_;
  std::map<int, mla::MachineRates> machines_;
  std::vector<bench::Result> results_;
};

void run(Flags flags) {
  complete(flags);
  if (!flags.svg.empty()) bench::check_writable(flags.svg);
  const auto start = std::chrono::steady_clock::now();
  const auto model = load(flags);
  const double load_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const std::vector<bench::Result> results = Runs(flags, model).run();
  for (const std::string& output : flags.outputs) program::print(bench::format(results, output, flags.ops));
  if (flags.explain) program::print(bench::explain(results));
  if (!flags.svg.empty()) bench::write_text_file(flags.svg, bench::depth_plot(results));
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
