// mla-perplexity: how well a model predicts a text, and the logits of given tokens.
#include <charconv>
#include <cmath>
#include <cstdio>
#include <span>

#include <mla/context.hpp>

#include "common/model_options.hpp"
#include "common/npy.hpp"
#include "common/program.hpp"

namespace {

constexpr int default_window = 512;

constexpr const char* description =
    "Perplexity of a text (-f), or the logits of given tokens (--tokens, --logits-out).\n\n"
    "The method: the text, encoded once with the model's bos token in front, is cut into windows of -c tokens that do not\n"
    "overlap; what is left over at the end is not used. Each window starts from an empty cache, its first token replaced by\n"
    "bos if the model uses one. Its first half is context only; the tokens after position c/2 are scored. The result is\n"
    "exp(mean negative log-likelihood), with its standard error: the figure that llama-perplexity prints for the same -c.";

struct Flags {
  program::ModelFlags model;
  std::string text_file, tokens_file, logits_file;
  int chunk = 0;
};

void declare(CLI::App& app, Flags& f) {
  program::add_model_flags(app, f.model, "tokens of a window, default " + std::to_string(default_window) +
                                             "; with --tokens: rows of the cache, default as many as there are");
  auto* text = app.add_option("-f,--file", f.text_file, "text whose perplexity to measure; -: standard input");
  auto* tokens = app.add_option("--tokens", f.tokens_file, "token ids, decimal, separated by white space; -: standard input");
  auto* logits = app.add_option("--logits-out", f.logits_file, "write their logits, float32 [n_tokens, n_vocab], as a .npy file");
  text->excludes(tokens), text->excludes(logits);
  tokens->needs(logits), logits->needs(tokens);
  app.add_option("--chunk", f.chunk, "tokens of one decode call; default: as many as -ub")->check(CLI::Range(1, 1 << 20));
}

/// Feeds `tokens` from position 0 in calls of `chunk`, asking for the logits from row `first` on, and hands each to `use`.
template <typename Use>
void decode_in_chunks(mla::Context& context, std::span<const mla::Token> tokens, int chunk, int first, Use&& use) {
  const int n = static_cast<int>(tokens.size());
  mla::Batch batch;
  for (int begin = 0; begin < n; begin += chunk) {
    const int end = std::min(n, begin + chunk);
    batch.clear();
    for (int i = begin; i < end; ++i) batch.add(tokens[static_cast<std::size_t>(i)], i, 0, i >= first);
    context.decode(batch);
    for (int i = std::max(begin, first); i < end; ++i) use(i, context.logits(i - begin));
  }
}

double negative_log_likelihood(std::span<const float> logits, mla::Token token) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - top);
  return top + std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(token)]);
}

/// Mean and standard error of the negative log-likelihoods so far.
class Score {
 public:
  void add(double x) { ++n_, sum_ += x, squares_ += x * x; }
  long long count() const { return n_; }
  double perplexity() const { return std::exp(mean()); }
  double uncertainty() const {  // of exp(mean): first order
    const auto n = static_cast<double>(n_);
    return n_ < 2 ? 0 : perplexity() * std::sqrt(std::max(0.0, squares_ / n - mean() * mean()) / (n - 1));
  }

 private:
  double mean() const { return sum_ / static_cast<double>(n_); }
  long long n_ = 0;
  double sum_ = 0, squares_ = 0;
};

void measure_text(const Flags& flags, const std::shared_ptr<const mla::Model>& model) {
  const mla::Tokenizer& tokenizer = model->tokenizer();
  const std::vector<mla::Token> tokens = tokenizer.encode(program::read_file(flags.text_file));
  const int window = flags.model.n_ctx > 0 ? flags.model.n_ctx : default_window;
  if (window < 4) throw program::Failure("-c " + std::to_string(window) + ": a window has at least 4 tokens");
  const int n_windows = static_cast<int>(tokens.size() / static_cast<std::size_t>(window));
  if (n_windows == 0)
    throw program::Failure(flags.text_file + " has " + std::to_string(tokens.size()) + " tokens, less than one window of " +
                           std::to_string(window) + ": take a longer text or a smaller -c");
  mla::Context context(model, program::context_options(flags.model, window));
  const int chunk = flags.chunk > 0 ? flags.chunk : flags.model.n_ubatch;
  const mla::ProgressCallback progress = program::progress();
  Score score;
  for (int w = 0; w < n_windows; ++w) {
    const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(w) * window;
    std::vector<mla::Token> row(begin, begin + window);
    if (tokenizer.add_bos()) row[0] = tokenizer.bos();
    context.cache().clear();
    // Row i predicts token i + 1; the last row has nothing to predict.
    decode_in_chunks(context, std::span(row).first(row.size() - 1), chunk, window / 2, [&](int i, std::span<const float> logits) {
      score.add(negative_log_likelihood(logits, row[static_cast<std::size_t>(i) + 1]));
    });
    if (!std::isfinite(score.perplexity())) throw program::Failure("window " + std::to_string(w) + ": the logits are not finite");
    progress("perplexity", static_cast<std::uint64_t>(w) + 1, static_cast<std::uint64_t>(n_windows));
  }
  char line[128];
  std::snprintf(line, sizeof line, "perplexity: %.4f ± %.4f (%lld tokens)\n", score.perplexity(), score.uncertainty(), score.count());
  program::print(line);
}

std::vector<mla::Token> read_tokens(const std::string& path, int n_vocab) {
  const std::string text = program::read_file(path);
  constexpr const char* space = " \t\r\n\v\f";
  std::vector<mla::Token> tokens;
  for (std::size_t begin = text.find_first_not_of(space); begin != text.npos;) {
    const std::size_t end = std::min(text.find_first_of(space, begin), text.size());
    mla::Token token = 0;
    const auto [stop, error] = std::from_chars(text.data() + begin, text.data() + end, token);
    if (error != std::errc() || stop != text.data() + end || token < 0 || token >= n_vocab)
      throw program::Failure(path + ": entry " + std::to_string(tokens.size() + 1) + ", \"" +
                             text.substr(begin, std::min<std::size_t>(end - begin, 40)) + "\", is not a token id from 0 to " +
                             std::to_string(n_vocab - 1));
    tokens.push_back(token);
    begin = text.find_first_not_of(space, end);
  }
  if (tokens.empty()) throw program::Failure(path + " holds no token ids");
  return tokens;
}

void write_logits(const Flags& flags, const std::shared_ptr<const mla::Model>& model) {
  const int n_vocab = model->info().n_vocab;
  const std::vector<mla::Token> tokens = read_tokens(flags.tokens_file, n_vocab);
  const int n = static_cast<int>(tokens.size());
  if (flags.model.n_ctx > 0 && n > flags.model.n_ctx)
    throw program::Failure(flags.tokens_file + " has " + std::to_string(n) + " ids, more than -c " +
                           std::to_string(flags.model.n_ctx));
  mla::Context context(model, program::context_options(flags.model, flags.model.n_ctx > 0 ? flags.model.n_ctx : n));
  program::NpyWriter file(flags.logits_file, tokens.size(), static_cast<std::uint64_t>(n_vocab));
  const mla::ProgressCallback progress = program::progress();
  decode_in_chunks(context, tokens, flags.chunk > 0 ? flags.chunk : flags.model.n_ubatch, 0, [&](int i, std::span<const float> row) {
    file.write(row);
    progress("logits", static_cast<std::uint64_t>(i) + 1, tokens.size());
  });
  file.finish();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(description, "mla-perplexity");
  Flags flags;
  declare(app, flags);
  return program::run(app, argc, argv, [&] {
    if (flags.text_file.empty() && flags.tokens_file.empty()) throw program::Failure("name a text with -f, or ids with --tokens");
    const auto model = program::load_model(flags.model);
    flags.tokens_file.empty() ? measure_text(flags, model) : write_logits(flags, model);
  });
}
