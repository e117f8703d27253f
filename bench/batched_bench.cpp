// mla-batched-bench: prompts and generation of several sequences at once.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>

#include <fmt/format.h>
#include <mla/context.hpp>
#include <nlohmann/json.hpp>

#include "common/model_options.hpp"
#include "common/program.hpp"
#include "table.hpp"

namespace {

struct Flags {
  program::ModelFlags model;
  std::vector<int> prompts = {128}, generations = {128}, parallel = {1, 2, 4};
  bool shared_prompt = false;
  int repetitions = 1;
  std::vector<std::string> outputs = {"md"};
};

// A line of the table: `b` sequences of pp prompt tokens and tg generated ones.
struct Cell {
  int pp, tg, b;
  bool shared;
  double t_pp = 0, t_tg = 0;  // seconds, medians

  int n_prompt() const { return shared ? pp : pp * b; }  // computed
  int n_kv() const { return n_prompt() + tg * b; }        // tokens in the cache at the end
  double s_pp() const { return t_pp > 0 ? n_prompt() / t_pp : 0; }
  double s_tg() const { return t_tg > 0 ? static_cast<double>(tg) * b / t_tg : 0; }
  double t() const { return t_pp + t_tg; }
  double s() const { return n_kv() / t(); }
  // Rows of the cache that it takes: whole pages for each sequence, and the pages of a shared prompt.
  std::int64_t rows() const {
    const auto paged = [](std::int64_t n) { return (n + mla::KvCache::page_rows - 1) / mla::KvCache::page_rows * mla::KvCache::page_rows; };
    return paged(std::int64_t{pp} + tg) * b + (shared ? paged(pp) : 0);
  }
};

void declare(CLI::App& app, Flags& f) {
  program::add_model_flags(app, f.model, "tokens the cache holds; without it, as many as are needed", true);
  const auto list = [&](const char* name, auto& values, const char* help, const CLI::Validator& item) {
    program::add_list(app, name, values, help, item);
  };
  list("--n-prompt,--npp", f.prompts, "prompt tokens of a sequence", program::whole_number(1, 1 << 24));
  list("--n-gen,--ntg", f.generations, "tokens generated in each sequence; 0: none", program::whole_number(0, 1 << 24));
  list("--n-parallel,--npl", f.parallel, "sequences at once", program::whole_number(1, 4096));
  app.add_flag("--shared-prompt,--pps", f.shared_prompt, "one prompt for all sequences, computed once");
  app.add_option("-r,--repetitions", f.repetitions, "measurements of each line, whose medians are shown")
      ->check(program::whole_number(1, 1000))->capture_default_str();
  list("-o,--output", f.outputs, "formats to print: md, json", CLI::IsMember({"md", "json"}));
}

std::vector<Cell> cells_of(const Flags& f) {
  std::vector<Cell> cells;
  for (const int pp : f.prompts)
    for (const int tg : f.generations)
      for (const int b : f.parallel) cells.push_back({pp, tg, b, f.shared_prompt});
  return cells;
}

// Rows for the largest of the cells, or what -c says if that is enough for all.
int cache_rows(const Flags& f, const std::vector<Cell>& cells) {
  const Cell& largest = *std::ranges::max_element(cells, {}, &Cell::rows);
  const std::int64_t rows = largest.rows();
  if (f.model.n_ctx > 0 && f.model.n_ctx < rows)
    throw program::Failure(fmt::format("-c {}: -npp {} -ntg {} -npl {} needs {} tokens (whole pages of {} for each sequence)",
                                       f.model.n_ctx, largest.pp, largest.tg, largest.b, rows, mla::KvCache::page_rows));
  if (rows > (1 << 30))
    throw program::Failure(fmt::format("-npp {} -ntg {} -npl {}: {} tokens are too many", largest.pp, largest.tg, largest.b, rows));
  return f.model.n_ctx > 0 ? f.model.n_ctx : static_cast<int>(rows);
}

class Runner {
 public:
  Runner(const std::shared_ptr<const mla::Model>& model, const mla::ContextOptions& options)
      : context_(model, options), random_(1), token_(0, model->info().n_vocab - 1) {}

  int n_threads() const { return context_.n_threads(); }

  void measure(Cell& cell, int repetitions) {
    std::vector<double> t_pp, t_tg;
    for (int i = 0; i < repetitions; ++i) {
      context_.cache().clear();
      t_pp.push_back(seconds([&] { run_prompts(cell); }));
      t_tg.push_back(seconds([&] { generate(cell); }));
    }
    cell.t_pp = bench::median(t_pp), cell.t_tg = bench::median(t_tg);
  }

 private:
  template <typename Work>
  static double seconds(Work&& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  void run_prompts(const Cell& cell) {
    mla::Batch batch;
    for (int sequence = 0; sequence < (cell.shared ? 1 : cell.b); ++sequence)
      for (int i = 0; i < cell.pp; ++i) batch.add(token_(random_), i, sequence, i + 1 == cell.pp);
    context_.decode(batch);
    for (int sequence = 1; cell.shared && sequence < cell.b; ++sequence) context_.cache().seq_cp(0, sequence);
  }

  void generate(const Cell& cell) {
    for (int i = 0; i < cell.tg; ++i) {
      mla::Batch batch;
      for (int sequence = 0; sequence < cell.b; ++sequence) batch.add(token_(random_), cell.pp + i, sequence, true);
      context_.decode(batch);
    }
  }

  mla::Context context_;
  std::mt19937 random_;
  std::uniform_int_distribution<mla::Token> token_;
};

std::string markdown(const std::vector<Cell>& cells) {
  std::vector<std::vector<std::string>> rows = {{"PP", "TG", "B", "N_KV", "T_PP s", "S_PP t/s", "T_TG s", "S_TG t/s", "T s", "S t/s"}};
  for (const Cell& c : cells)
    rows.push_back({std::to_string(c.pp), std::to_string(c.tg), std::to_string(c.b), std::to_string(c.n_kv()), bench::fixed(c.t_pp, 3),
                    bench::fixed(c.s_pp()), bench::fixed(c.t_tg, 3), bench::fixed(c.s_tg()), bench::fixed(c.t(), 3), bench::fixed(c.s())});
  return bench::markdown_table(rows, 0);
}

std::string json(const std::vector<Cell>& cells, const Flags& f, int n_threads) {
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  for (const Cell& c : cells)
    array.push_back({{"attention", f.model.attention}, {"threads", n_threads}, {"ubatch", f.model.n_ubatch}, {"shared_prompt", c.shared},
                     {"pp", c.pp}, {"tg", c.tg}, {"b", c.b}, {"n_kv", c.n_kv()}, {"t_pp", c.t_pp}, {"s_pp", c.s_pp()},
                     {"t_tg", c.t_tg}, {"s_tg", c.s_tg()}, {"t", c.t()}, {"s", c.s()}});
  return array.dump(2) + '\n';
}

void run(const Flags& flags) {
  std::vector<Cell> cells = cells_of(flags);
  const int n_ctx = cache_rows(flags, cells);
  Runner runner(program::load_model(flags.model), program::context_options(flags.model, n_ctx));
  Cell warm_up = cells.front();  // takes memory, wakes threads; not shown
  runner.measure(warm_up, 1);
  for (Cell& cell : cells) {
    runner.measure(cell, flags.repetitions);
    if (program::stderr_is_terminal())
      std::fprintf(stderr, "\r\033[KPP %d TG %d B %d: %.2f and %.2f tokens/s", cell.pp, cell.tg, cell.b, cell.s_pp(), cell.s_tg());
  }
  if (program::stderr_is_terminal()) std::fprintf(stderr, "\r\033[K");
  for (const std::string& output : flags.outputs)
    program::print(output == "json" ? json(cells, flags, runner.n_threads()) : markdown(cells));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Prompts (PP tokens each) and generation (TG tokens each) of B sequences at once: times T in seconds, speeds S in tokens per second. "
      "Lists are separated by commas; every combination is measured.",
      "mla-batched-bench");
  Flags flags;
  declare(app, flags);
  return program::run(app, argc, argv, [&] { run(flags); });
}
