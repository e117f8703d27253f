// mla-perplexity: how well a model predicts a text, and the logits of given tokens.
#include <charconv>
#include <cmath>
#include <span>

#include <fmt/format.h>
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
  int n_batch = 0;
  int n_windows = 0;
};

void declare(CLI::App& app, Flags& f) {
  program::add_model_flags(app, f.model, "tokens of a window, default " + std::to_string(default_window) +
                                             "; with --tokens: rows of the cache, default as many as there are");
  auto* text = app.add_option("-f,--file", f.text_file, "text whose perplexity to measure; -: standard input");
  auto* tokens = app.add_option("--tokens", f.tokens_file, "token ids, decimal, separated by white space; -: standard input");
  auto* logits = app.add_option("--logits-out", f.logits_file, "write the logits of --tokens, float32 [n_tokens, n_vocab], as a .npy file");
  for (auto* name : {text, tokens, logits}) name->check(program::file_name());
  text->excludes(tokens), text->excludes(logits);
  tokens->needs(logits), logits->needs(tokens);
  app.add_option("--chunks", f.n_windows, "windows of the text to use at most; 0: all")
      ->check(program::whole_number(0, 1 << 30))->capture_default_str()->excludes(tokens);
  app.add_option("-b,--batch-size", f.n_batch, "tokens of one decode call; 0: as many as -ub")
      ->check(program::whole_number(0, 1 << 20))->capture_default_str();
}

int batch_size(const Flags& flags) { return flags.n_batch > 0 ? flags.n_batch : flags.model.n_ubatch; }

/// Feeds `tokens` from position 0 in calls of `n_batch`, asking for the logits from row `first` on, and hands each to `use`;
/// says to `done` how far it is.
template <typename Use, typename Done>
void decode_all(mla::Context& context, std::span<const mla::Token> tokens, int n_batch, int first, Use&& use, Done&& done) {
  const int n = static_cast<int>(tokens.size());
  mla::Batch batch;
  for (int begin = 0; begin < n; begin += n_batch) {
    const int end = std::min(n, begin + n_batch);
    batch.clear();
    for (int i = begin; i < end; ++i) batch.add(tokens[static_cast<std::size_t>(i)], i, 0, i >= first);
    context.decode(batch);
    for (int i = std::max(begin, first); i < end; ++i) use(i, context.logits(i - begin));
    done(end);
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

void measure_text(const Flags& flags, const std::string& text, const std::shared_ptr<const mla::Model>& model) {
  const mla::Tokenizer& tokenizer = model->tokenizer();
  const std::vector<mla::Token> tokens = tokenizer.encode(text);
  const int window = flags.model.n_ctx > 0 ? flags.model.n_ctx : default_window;
  if (window < 4) throw program::Failure("-c " + std::to_string(window) + ": a window has at least 4 tokens");
  int n_windows = static_cast<int>(tokens.size() / static_cast<std::size_t>(window));
  if (n_windows == 0)
    throw program::Failure(flags.text_file + " has " + std::to_string(tokens.size()) + " tokens, less than one window of " +
                           std::to_string(window) + ": take a longer text or a smaller -c");
  if (flags.n_windows > 0) n_windows = std::min(n_windows, flags.n_windows);
  mla::Context context(model, program::context_options(flags.model, window));
  const mla::ProgressCallback progress = program::progress();
  const std::uint64_t fed = static_cast<std::uint64_t>(window) - 1, total = fed * static_cast<std::uint64_t>(n_windows);
  Score score;
  for (int w = 0; w < n_windows; ++w) {
    const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(w) * window;
    std::vector<mla::Token> row(begin, begin + window);
    if (tokenizer.add_bos()) row[0] = tokenizer.bos();
    context.cache().clear();
    const auto use = [&](int i, std::span<const float> logits) {
      score.add(negative_log_likelihood(logits, row[static_cast<std::size_t>(i) + 1]));
    };
    const auto done = [&](int n) {
      const std::string phase = score.count() == 0 ? "perplexity" : fmt::format("perplexity {:.4f}", score.perplexity());
      progress(phase, fed * static_cast<std::uint64_t>(w) + static_cast<std::uint64_t>(n), total);
    };
    // Row i predicts token i + 1; the last row has nothing to predict.
    decode_all(context, std::span(row).first(row.size() - 1), batch_size(flags), window / 2, use, done);
    if (!std::isfinite(score.perplexity()))
      throw program::Failure(flags.model.model + ": the logits of window " + std::to_string(w + 1) + " are not finite");
  }
  program::print(fmt::format("perplexity: {:.4f} ± {:.4f} ({} tokens)\n", score.perplexity(), score.uncertainty(), score.count()));
}

std::vector<mla::Token> parse_tokens(const std::string& text, const std::string& path, int n_vocab) {
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

void write_logits(const Flags& flags, const std::string& ids, const std::shared_ptr<const mla::Model>& model) {
  const int n_vocab = model->info().n_vocab;
  const std::vector<mla::Token> tokens = parse_tokens(ids, flags.tokens_file, n_vocab);
  const int n = static_cast<int>(tokens.size());
  if (flags.model.n_ctx > 0 && n > flags.model.n_ctx)
    throw program::Failure(flags.tokens_file + " has " + std::to_string(n) + " ids, more than -c " +
                           std::to_string(flags.model.n_ctx));
  mla::Context context(model, program::context_options(flags.model, flags.model.n_ctx > 0 ? flags.model.n_ctx : n));
  program::NpyWriter file(flags.logits_file, tokens.size(), static_cast<std::uint64_t>(n_vocab));
  const mla::ProgressCallback progress = program::progress();
  decode_all(context, tokens, batch_size(flags), 0, [&](int, std::span<const float> row) { file.write(row); },
             [&](int done) { progress("logits", static_cast<std::uint64_t>(done), tokens.size()); });
  file.finish();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(description, "mla-perplexity");
  Flags flags;
  declare(app, flags);
  return program::run(app, argc, argv, [&] {
    if (flags.text_file.empty() && flags.tokens_file.empty()) throw CLI::RequiredError("-f or --tokens");
    const bool of_text = flags.tokens_file.empty();
    const std::string input = program::read_file(of_text ? flags.text_file : flags.tokens_file);
    const auto model = program::load_model(flags.model);
    of_text ? measure_text(flags, input, model) : write_logits(flags, input, model);
  });
}
