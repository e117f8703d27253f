// mla-imatrix: collects importance matrices, adds them up, and completes those that lack k_b and v_b.
#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>
#include <mla/error.hpp>
#include <mla/imatrix.hpp>

#include "common/program.hpp"
#include "common/statistics.hpp"
#include "common/windows.hpp"

namespace {

using mla::Imatrix;
using mla::ImatrixEntry;

constexpr int default_window = 512;

constexpr const char* description =
    "Measures how strongly each column of a model's weight matrices is driven by a text (-f), for mla-quantize --imatrix. The text is cut "
    "into windows of -c tokens. Experts, and the heads of k_b and v_b, are measured apart.\n\n"
    "In the default attention mode, deepseek-mla, there are entries for kv_b, k_b and v_b alike; in the others v_b's may be missing, and "
    "--derive-mla then makes it from kv_b's.\n\n"
    "Without -f: adds up the files of --in-file, completes them (--derive-mla, which needs -m), or writes them in the other format.";

struct Flags {
  program::ModelFlags model;
  std::string text_file, output = "imatrix.gguf", format;
  std::vector<std::string> inputs;
  bool output_entry = false, derive = false;
  int n_batch = 0, n_windows = 0, first_window = 0, save_every = 0;

  mla::ImatrixFormat file_format() const {
    return (format.empty() ? output.ends_with(".dat") : format == "dat") ? mla::ImatrixFormat::dat : mla::ImatrixFormat::gguf;
  }
};

void declare(CLI::App& app, Flags& f) {
  f.model.attention = "deepseek-mla";
  program::add_model_flags(app, f.model, "tokens of a window, default " + std::to_string(default_window));
  app.get_option("--model")->required(false);
  app.add_option("-f,--file", f.text_file, "text to measure on; -: standard input")->check(program::file_name())->needs("--model");
  app.add_option("-o,--output", f.output, "file to write")->check(program::file_name())->capture_default_str();
  app.add_option("--output-format", f.format, "its format; without it: dat for names that end in .dat, gguf for others")
      ->check(CLI::IsMember({"gguf", "dat"}));
  app.add_option("--in-file", f.inputs, "add what this file measured, in either format; may be given several times")
      ->check(program::file_name())->allow_extra_args(false);
  app.add_flag("--derive-mla", f.derive, "where entries of k_b or v_b are missing, make them from those of q and kv_b")->needs("--model");
  app.add_flag("--process-output", f.output_entry, "measure the output matrix too: logits of all tokens, not of half of them");
  app.add_option("--chunks", f.n_windows, "windows to use at most; 0: all")
      ->check(program::whole_number(0, 1 << 30))
      ->capture_default_str();
  app.add_option("--from-chunk", f.first_window, "windows to leave out at the beginning")
      ->check(program::whole_number(0, 1 << 30))->capture_default_str();
  app.add_option("--save-frequency", f.save_every, "also write the file after every so many windows; 0: only at the end")
      ->check(program::whole_number(0, 1 << 30))->capture_default_str();
  app.add_option("-b,--batch-size", f.n_batch, "tokens of one decode call, of several windows where they fit; 0: as many as -ub")
      ->check(program::whole_number(0, 1 << 20))->capture_default_str();
}

Imatrix sum_of(const std::vector<std::string>& paths) {
  Imatrix sum;
  for (const std::string& path : paths) {
    const Imatrix part = mla::load_imatrix(path);
    try {
      add_imatrix(sum, part);
    } catch (const mla::Error& error) {
      throw program::Failure(path + ": " + error.what());
    }
  }
  return sum;
}

program::Windows windows_of(const Flags& flags, const mla::Tokenizer& tokenizer) {
  const int n_ctx = flags.model.n_ctx > 0 ? flags.model.n_ctx : default_window;
  program::Windows windows = program::cut_windows(program::read_file(flags.text_file), flags.text_file, n_ctx, 0, tokenizer);
  const auto first = static_cast<std::size_t>(flags.first_window), all = windows.count();
  if (first >= all)
    throw program::Failure(fmt::format("{} has {} windows of {} tokens: --from-chunk {} leaves none", flags.text_file, all, n_ctx, first));
  const std::size_t n = flags.n_windows > 0 ? std::min(all - first, static_cast<std::size_t>(flags.n_windows)) : all - first;
  const auto at = [&](std::size_t w) { return windows.tokens.begin() + static_cast<std::ptrdiff_t>(w * static_cast<std::size_t>(n_ctx)); };
  windows.tokens = {at(first), at(first + n)};
  windows.whole = true;
  windows.all_logits = flags.output_entry;  // else the output matrix would be measured at half the tokens, unlike all others
  return windows;
}

// What is collected so far, and of the files that it is added to.
Imatrix collected(const Flags& flags, const mla::ImatrixCollector& collector, const program::Windows& windows, std::size_t n_windows,
                  const Imatrix& before) {
  Imatrix measured = collector.result(), sum = before;
  if (!flags.output_entry) std::erase_if(measured.entries, [](const ImatrixEntry& entry) { return !entry.name.starts_with("blk."); });
  measured.datasets = {flags.text_file};
  measured.n_chunks = static_cast<std::uint32_t>(n_windows);
  measured.chunk_tokens = static_cast<std::uint32_t>(windows.n_ctx);
  add_imatrix(sum, measured);
  return sum;
}

Imatrix collect(const Flags& flags, const std::shared_ptr<const mla::Model>& model, const Imatrix& before) {
  const program::Windows windows = windows_of(flags, model->tokenizer());
  const auto n_batch = static_cast<std::size_t>(flags.n_batch > 0 ? flags.n_batch : flags.model.n_ubatch);
  const auto collector = std::make_shared<mla::ImatrixCollector>(model);
  program::Scorer scorer(model, flags.model, n_batch, program::cache_rows(windows, n_batch), collector);
  const mla::ProgressCallback progress = program::progress();
  program::Mean nll;
  std::vector<double> values;
  std::size_t n_saved = 0;
  const auto score = [&](const program::Piece& piece, std::span<const mla::Token> next) {
    values.resize(next.size());
    piece.for_each([&](std::size_t i, std::span<const float> logits) {
      if (next[i] != program::not_scored) values[i] = program::negative_log_likelihood(logits, next[i]);
    });
    for (std::size_t i = 0; i < next.size(); ++i)
      if (next[i] != program::not_scored) nll.add(values[i]);
    if (!std::isfinite(nll.value())) throw program::Failure(flags.model.model + ": the logits are not finite");
  };
  const auto done = [&](std::uint64_t tokens) {
    const std::size_t n = tokens / windows.n_fed();
    const program::Figure perplexity = program::exp_figure(nll);
    const std::string running =
        nll.count() == 0 ? "imatrix" : fmt::format("perplexity {:.4f} ± {:.4f}", perplexity.value, perplexity.error);
    if (flags.model.verbose && tokens % windows.n_fed() == 0)
      program::notice(fmt::format("window {} of {}: {}", n, windows.count(), running));
    progress(running, tokens, windows.n_fed() * windows.count());
    if (flags.save_every == 0 || tokens % windows.n_fed() != 0 || n / static_cast<std::size_t>(flags.save_every) == n_saved) return;
    n_saved = n / static_cast<std::size_t>(flags.save_every);
    save_imatrix(flags.output, collected(flags, *collector, windows, n, before), flags.file_format());
  };
  program::run_windows(windows, model->tokenizer(), scorer, score, done);
  return collected(flags, *collector, windows, windows.count(), before);
}

void derive(Imatrix& imatrix, const mla::Model& model) {
  const mla::DerivedEntries derived = derive_mla(imatrix, model);
  for (const std::string& name : derived.missing) program::notice("warning: there is no entry " + name + " to derive k_b or v_b from");
  program::print(fmt::format("derived: {} entries of k_b, {} of v_b\n", derived.n_k_b, derived.n_v_b));
}

void report(const std::vector<mla::UnusedExperts>& all) {
  constexpr std::size_t most = 8;
  for (const mla::UnusedExperts& unused : all) {
    std::string list;
    for (std::size_t i = 0; i < std::min(most, unused.experts.size()); ++i) list += (i > 0 ? ", " : "") + std::to_string(unused.experts[i]);
    if (unused.experts.size() > most) list += ", …";
    program::notice(fmt::format("warning: {}: {} of {} experts were never used ({}): {}", unused.name, unused.experts.size(),
                                unused.n_experts, list, unused.filled ? "they get the mean of the others" : "they stay without data"));
  }
}

std::string summary(const Imatrix& imatrix) {
  std::size_t matrices = 0;
  for (const ImatrixEntry& entry : imatrix.entries) matrices += entry.counts.size();
  return fmt::format("{} entries, {} matrices, {} windows of {}\n", imatrix.entries.size(), matrices, imatrix.n_chunks,
                     imatrix.chunk_tokens == 0 ? "unknown size" : std::to_string(imatrix.chunk_tokens) + " tokens");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(description, "mla-imatrix");
  Flags flags;
  declare(app, flags);
  return program::run(app, argc, argv, [&] {
    if (flags.text_file.empty() && flags.inputs.empty()) throw CLI::RequiredError("-f or --in-file");
    Imatrix imatrix = sum_of(flags.inputs);
    if (!flags.text_file.empty() || flags.derive) {
      if (flags.text_file.empty()) flags.model.no_repack = true;  // weights are then only looked at
      const auto model = program::load_model(flags.model);
      if (!flags.text_file.empty()) imatrix = collect(flags, model, imatrix);
      if (flags.derive) derive(imatrix, *model);
    }
    report(fill_unused(imatrix));
    save_imatrix(flags.output, imatrix, flags.file_format());
    program::print(summary(imatrix));
  });
}
