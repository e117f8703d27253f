// mla-perplexity: how well a model predicts a text, how far it is from another, how often it picks the right ending; and logits.
#include "common/program.hpp"
#include "perplexity/tasks.hpp"

namespace {

namespace perplexity = program::perplexity;

constexpr const char* description =
    "Perplexity of a text (-f); how far a model's predictions are from another's (--kl-divergence); how often it finds the right ending "
    "(--hellaswag); or the logits of given tokens (--tokens, --logits-out).\n\n"
    "Perplexity: the text, encoded once with the model's bos token in front, is cut into windows of -c tokens that do not overlap; what "
    "is left over at the end is not used. Each window starts from an empty cache, its first token replaced by bos if the model uses one. "
    "Its first half is context only; the tokens after position c/2 are scored. The result is exp(mean negative log-likelihood), with its "
    "standard error: the figure that llama-perplexity prints for the same -c.\n\n"
    "Divergence: first the better model, with -f and --kl-divergence-base FILE, which also writes its log-probabilities there (16 bits "
    "each: c/2 times the vocabulary for each window; llama-perplexity's format). Then the other, with --kl-divergence-base FILE "
    "--kl-divergence.";

void declare(CLI::App& app, perplexity::Flags& f) {
  program::add_model_flags(app, f.model, "tokens of a window, default " + std::to_string(perplexity::default_window) +
                                             "; with --tokens or --hellaswag: rows of the cache, default as many as it takes");
  auto* text = app.add_option("-f,--file", f.text_file, "text whose perplexity to measure, or tasks for --hellaswag; -: standard input");
  auto* tokens = app.add_option("--tokens", f.tokens_file, "token ids, decimal, separated by white space; -: standard input");
  auto* logits = app.add_option("--logits-out", f.logits_file, "write the logits of --tokens, float32 [n_tokens, n_vocab], as a .npy file");
  auto* base = app.add_option("--kl-divergence-base", f.base_file, "with -f: write this model's log-probabilities there");
  for (auto* name : {text, tokens, logits, base}) name->check(program::file_name());
  text->excludes(tokens), text->excludes(logits);
  tokens->needs(logits), logits->needs(tokens);
  base->excludes(tokens);
  app.add_flag("--kl-divergence", f.divergence, "compare the model with the one that wrote --kl-divergence-base, on its text")
      ->needs(base)->excludes(text);
  auto* choices = app.add_flag("--hellaswag", f.choices,
                               "-f holds tasks: six lines each (context, number of the right ending, four endings), or JSON "
                               "lines with \"context\", \"endings\" and \"label\"")
                      ->needs(text)
                      ->excludes(base);
  app.add_option("--hellaswag-tasks", f.n_tasks, "tasks to take, spread evenly over the file; 0: all")
      ->check(program::whole_number(0, 1 << 30))->capture_default_str()->needs(choices);
  app.add_option("--chunks", f.n_windows, "windows of the text to use at most; 0: all")
      ->check(program::whole_number(0, 1 << 30))->capture_default_str()->excludes(tokens)->excludes(choices);
  app.add_option("-b,--batch-size", f.n_batch, "tokens of one decode call, of several windows where they fit; 0: as many as -ub")
      ->check(program::whole_number(0, 1 << 20))->capture_default_str();
  app.add_flag("--json", f.json, "figures as JSON")->excludes(tokens);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(description, "mla-perplexity");
  perplexity::Flags flags;
  declare(app, flags);
  return program::run(app, argc, argv, [&] {
    if (flags.text_file.empty() && flags.tokens_file.empty() && !flags.divergence)
      throw CLI::RequiredError("-f, --tokens or --kl-divergence");
    const std::string input = flags.divergence ? "" : program::read_file(flags.tokens_file.empty() ? flags.text_file : flags.tokens_file);
    const auto model = program::load_model(flags.model);
    if (flags.divergence)
      perplexity::measure_divergence(flags, model);
    else if (flags.choices)
      perplexity::measure_choices(flags, input, model);
    else if (!flags.tokens_file.empty())
      perplexity::write_logits(flags, input, model);
    else
      perplexity::measure_text(flags, input, model);
  });
}
