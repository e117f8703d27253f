// Perplexity of a text, and a model's divergence from another on one.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/program.hpp"
#include "perplexity/divergence.hpp"
#include "perplexity/tasks.hpp"

namespace program::perplexity {
namespace {

std::string with_error(Figure f, int digits) { return fmt::format("{:.{}f} ± {:.{}f}", f.value, digits, f.error, digits); }
nlohmann::ordered_json json(Figure f) { return {{"value", f.value}, {"error", f.error}}; }

// Shows running figures beside the progress; with -v, a line of them for every so many windows.
class Running {
 public:
  Running(const Flags& flags, const Windows& windows) : verbose_(flags.model.verbose), windows_(windows) {}

  void show(std::uint64_t tokens_done, const std::string& figures) {
    const std::uint64_t total = windows_.n_fed() * windows_.count(), whole = tokens_done / windows_.n_fed();
    if (verbose_ && whole > shown_ && !figures.empty()) notice(fmt::format("window {} of {}: {}", whole, windows_.count(), figures));
    shown_ = whole;
    progress_(figures.empty() ? "perplexity" : figures, tokens_done, total);
  }

 private:
  bool verbose_;
  const Windows& windows_;
  std::uint64_t shown_ = 0;
  mla::ProgressCallback progress_ = program::progress();
};

[[noreturn]] void refuse_not_finite(const std::string& model, std::int64_t n_scored, const Windows& windows) {
  throw Failure(
      fmt::format("{}: the logits of window {} are not finite", model, static_cast<std::size_t>(n_scored) / windows.n_scored() + 1));
}

void print_figures(const Flags& flags, const Divergence& d) {
  constexpr double percent = 100;
  constexpr std::pair<const char*, double> quantiles[] = {{"maximum", 1}, {"99.9 %", 0.999}, {"99 %", 0.99}, {"95 %", 0.95},
                                                          {"90 %", 0.9},  {"median", 0.5},   {"minimum", 0}};
  const std::vector<double> sorted = d.sorted_divergences();
  if (flags.json) {
    nlohmann::ordered_json out{{"tokens", d.count()}, {"perplexity", json(d.perplexity())}, {"base_perplexity", json(d.base_perplexity())},
                               {"log_ratio", json(d.log_ratio())}, {"kl_divergence", json(d.divergence())}};
    for (const auto& [name, fraction] : quantiles) out["kl_quantiles"][name] = quantile(sorted, fraction);
    out["top_agreement"] = json(d.top_agreement()), out["mean_change"] = json(d.mean_change()), out["rms_change"] = json(d.rms_change());
    return print(out.dump(2) + "\n");
  }
  std::string out = fmt::format("perplexity: {} ({} tokens)\nbase perplexity: {}\nln(perplexity / base): {}\nKL divergence: {}\n",
                                with_error(d.perplexity(), 4), d.count(), with_error(d.base_perplexity(), 4), with_error(d.log_ratio(), 6),
                                with_error(d.divergence(), 6));
  for (const auto& [name, fraction] : quantiles) out += fmt::format("  {:<8} {:.6f}\n", name, quantile(sorted, fraction));
  const auto in_percent = [&](Figure f) { return with_error({percent * f.value, percent * f.error}, 3) + " %"; };
  out += fmt::format("top-1 agreement: {}\nchange of the text's token, mean: {}\nchange of the text's token, rms: {}\n",
                     in_percent(d.top_agreement()), in_percent(d.mean_change()), in_percent(d.rms_change()));
  print(out);
}

}  // namespace

void measure_text(const Flags& flags, const std::string& text, const ModelPointer& model) {
  const Windows windows = cut_windows(text, flags.text_file, flags.window(), flags.n_windows, model->tokenizer());
  const std::size_t record = record_bytes(static_cast<std::size_t>(model->info().n_vocab));
  Scorer scorer(model, flags.model, flags.batch_size(), cache_rows(windows, flags.batch_size()));
  std::optional<LogProbsWriter> base;
  if (!flags.base_file.empty()) base.emplace(flags.base_file, windows, model->info().n_vocab);
  Running running(flags, windows);
  Mean nll;
  std::vector<double> values;
  std::vector<std::byte> records;
  run_windows(windows, model->tokenizer(), scorer, [&](const Piece& piece, std::span<const mla::Token> next) {
    values.resize(next.size());
    if (base) records.resize(next.size() * record);
    piece.for_each([&](std::size_t i, std::span<const float> logits) {
      values[i] = negative_log_likelihood(logits, next[i]);
      if (base) make_record(logits, std::span(records).subspan(i * record, record));
    });
    for (const double value : values) {
      if (!std::isfinite(value)) refuse_not_finite(flags.model.model, nll.count(), windows);
      nll.add(value);
    }
    if (base) base->write(records);
  }, [&](std::uint64_t done) { running.show(done, nll.count() == 0 ? "" : "perplexity " + with_error(exp_figure(nll), 4)); });
  if (base) base->finish();
  const Figure perplexity = exp_figure(nll);
  print(flags.json ? nlohmann::ordered_json{{"tokens", nll.count()}, {"perplexity", json(perplexity)}}.dump(2) + "\n"
                            : fmt::format("perplexity: {} ({} tokens)\n", with_error(perplexity, 4), nll.count()));
}

void measure_divergence(const Flags& flags, const ModelPointer& model) {
  const auto n_vocab = static_cast<std::size_t>(model->info().n_vocab);
  LogProbsReader base(flags.base_file, model->info().n_vocab);
  Windows windows = base.windows();
  const std::size_t n = flags.n_windows > 0 ? std::min(windows.count(), static_cast<std::size_t>(flags.n_windows)) : windows.count();
  windows.tokens.resize(n * static_cast<std::size_t>(windows.n_ctx));
  Scorer scorer(model, flags.model, flags.batch_size(), cache_rows(windows, flags.batch_size()));
  Running running(flags, windows);
  Divergence total;
  std::vector<Difference> differences;
  std::vector<std::byte> records;
  run_windows(windows, model->tokenizer(), scorer, [&](const Piece& piece, std::span<const mla::Token> next) {
    differences.resize(next.size());
    records.resize(next.size() * record_bytes(n_vocab));
    base.read(records);
    piece.for_each([&](std::size_t i, std::span<const float> logits) {
      differences[i] = compare(logits, read_record(std::span(records).subspan(i * record_bytes(n_vocab)), n_vocab), next[i]);
    });
    for (const Difference& d : differences) {
      if (!std::isfinite(d.nll)) refuse_not_finite(flags.model.model, total.count(), windows);
      if (!std::isfinite(d.divergence) || !std::isfinite(d.base_nll))
        throw Failure(fmt::format("{}: position {} has no finite divergence: the file is damaged, or of another model",
                                  flags.base_file, total.count() + 1));
      total.add(d);
    }
  }, [&](std::uint64_t done) {
    running.show(done, total.count() == 0 ? "" : fmt::format("perplexity {}, KL divergence {}", with_error(total.perplexity(), 4),
                                                             with_error(total.divergence(), 6)));
  });
  print_figures(flags, total);
}

}  // namespace program::perplexity
