// mla-run: continues a prompt.
#include <chrono>
#include <cstdio>
#include <random>

#include <mla/context.hpp>
#include <mla/error.hpp>
#include <mla/sampler.hpp>

#include "common/model_options.hpp"
#include "common/program.hpp"

namespace {

constexpr int default_n_ctx = 4096;

struct Flags {
  program::ModelFlags model;
  std::string prompt = "In the beginning";
  std::string prompt_file;
  int n_predict = 256;
  bool no_display_prompt = false;
  mla::SamplerOptions sampler;
};

void declare(CLI::App& app, Flags& f) {
  program::add_model_flags(app, f.model, "tokens of prompt and answer together; default " + std::to_string(default_n_ctx), true);
  auto* prompt = app.add_option("-p,--prompt", f.prompt, "text to continue")->capture_default_str();
  app.add_option("-f,--file", f.prompt_file, "read the prompt from a file; -: from standard input")->excludes(prompt);
  app.add_option("-n,--n-predict", f.n_predict, "tokens to generate at most; -1: until the model ends or the context is full")
      ->check(CLI::Range(-1, 1 << 30))->capture_default_str();
  app.add_flag("--no-display-prompt", f.no_display_prompt, "print only what is generated");

  mla::SamplerOptions& s = f.sampler;
  const CLI::Range share(0.0, 1.0);
  const CLI::Range penalty(-100.0, 100.0);
  app.add_option("-s,--seed", s.seed, "of the sampler; without it, another one each time");
  app.add_option("--temp", s.temperature, "temperature; 0: always the most likely token")
      ->check(CLI::Range(0.0, 1000.0))->capture_default_str();
  app.add_option("--top-k", s.top_k, "keep the k most likely tokens; 0: all")->check(CLI::Range(0, 1 << 30))->capture_default_str();
  app.add_option("--top-p", s.top_p, "keep the most likely tokens that together reach p; 1: all")->check(share)->capture_default_str();
  app.add_option("--min-p", s.min_p, "drop tokens below this share of the most likely one's probability; 0: none")
      ->check(share)->capture_default_str();
  app.add_option("--typical", s.typical_p, "locally typical sampling; 1: off")->check(CLI::Range(1e-6, 1.0))->capture_default_str();
  app.add_option("--repeat-last-n", s.penalty_last_n, "tokens that the penalties look back on; -1: all")
      ->check(CLI::Range(-1, 1 << 30))->capture_default_str();
  app.add_option("--repeat-penalty", s.repeat_penalty, "divides the logits of repeated tokens; 1: off")
      ->check(CLI::Range(0.01, 100.0))->capture_default_str();
  app.add_option("--presence-penalty", s.presence_penalty, "subtracted from the logits of tokens that occur")
      ->check(penalty)->capture_default_str();
  app.add_option("--frequency-penalty", s.frequency_penalty, "subtracted once for each occurrence")
      ->check(penalty)->capture_default_str();
  app.add_option("--mirostat", s.mirostat, "2: Mirostat 2.0 in place of top-k, top-p, min-p and typical; 0: off")
      ->check(CLI::IsMember({0, 2}))->capture_default_str();
  app.add_option("--mirostat-ent", s.mirostat_tau, "Mirostat's target surprise in bits, tau")
      ->check(CLI::Range(1e-3, 1e3))->capture_default_str();
  app.add_option("--mirostat-lr", s.mirostat_eta, "Mirostat's learning rate, eta")
      ->check(CLI::Range(1e-6, 10.0))->capture_default_str();
}

/// Tokens and the seconds they took.
struct Speed {
  int n_tokens = 0;
  double seconds = 0;
  double rate() const { return seconds > 0 ? n_tokens / seconds : 0; }
};

class Generator {
 public:
  Generator(const Flags& flags, const mla::Model& model, mla::Context& context)
      : flags_(flags), tokenizer_(model.tokenizer()), context_(context), sampler_(flags.sampler), stream_(model.tokenizer()) {}

  void read_prompt(const std::vector<mla::Token>& tokens);
  void generate();
  void report() const;

 private:
  bool has_room() const { return position_ < context_.options().n_ctx; }
  void decode(const mla::Batch& batch, Speed& speed);

  const Flags& flags_;
  const mla::Tokenizer& tokenizer_;
  mla::Context& context_;
  mla::Sampler sampler_;
  mla::TextStream stream_;
  mla::Position position_ = 0;
  Speed prompt_speed_, generation_speed_;
};

void Generator::decode(const mla::Batch& batch, Speed& speed) {
  const auto start = std::chrono::steady_clock::now();
  context_.decode(batch);
  speed.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  speed.n_tokens += batch.size();
  position_ += batch.size();
}

void Generator::read_prompt(const std::vector<mla::Token>& tokens) {
  const int n = static_cast<int>(tokens.size()), n_ubatch = context_.options().n_ubatch;
  if (n == 0) throw program::Failure("the prompt is empty, and this model has no token to begin with: use -p or -f");
  if (n > context_.options().n_ctx)
    throw program::Failure("the prompt has " + std::to_string(n) + " tokens, and the context " +
                           std::to_string(context_.options().n_ctx) + ": raise it with -c");
  const mla::ProgressCallback progress = program::progress();
  for (int begin = 0; begin < n; begin += n_ubatch) {
    const int end = std::min(n, begin + n_ubatch);
    mla::Batch batch;
    for (int i = begin; i < end; ++i) batch.add(tokens[static_cast<std::size_t>(i)], i, 0, i == n - 1);
    decode(batch, prompt_speed_);
    progress("prompt", static_cast<std::uint64_t>(end), static_cast<std::uint64_t>(n));
  }
  for (const mla::Token token : tokens) sampler_.accept(token);
}

void Generator::generate() {
  mla::Batch batch;
  try {
    for (int n = 0; n != flags_.n_predict && !program::interrupted(); ++n) {
      const mla::Token token = sampler_.sample(context_.logits());
      if (tokenizer_.is_end_of_generation(token)) break;
      sampler_.accept(token);
      program::print(stream_.push(token));
      if (n + 1 == flags_.n_predict) break;
      if (!has_room()) {
        std::fprintf(stderr, "mla-run: stopped, the context of %d tokens is full: raise it with -c\n", position_);
        break;
      }
      batch.clear();
      batch.add(token, position_, 0, true);
      decode(batch, generation_speed_);
    }
  } catch (const mla::Error& error) {
    if (error.status() != mla::Status::aborted) throw;
  }
  program::print(stream_.finish() + "\n");
}

void Generator::report() const {
  std::fprintf(stderr, "prompt: %d tokens, %.1f tokens/s; generation: %d tokens, %.1f tokens/s (%d threads, seed %llu)\n",
               prompt_speed_.n_tokens, prompt_speed_.rate(), generation_speed_.n_tokens, generation_speed_.rate(),
               context_.n_threads(), static_cast<unsigned long long>(flags_.sampler.seed));
}

void run(const Flags& flags) {
  const auto model = program::load_model(flags.model);
  const std::string prompt = flags.prompt_file.empty() ? flags.prompt : program::read_file(flags.prompt_file);
  const std::vector<mla::Token> tokens = model->tokenizer().encode(prompt);
  mla::Context context(model, program::context_options(flags.model, flags.model.n_ctx > 0 ? flags.model.n_ctx : default_n_ctx));
  Generator generator(flags, *model, context);
  if (!flags.no_display_prompt) program::print(prompt);
  generator.read_prompt(tokens);
  generator.generate();
  if (flags.model.verbose || program::stderr_is_terminal()) generator.report();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Continues a prompt with a DeepSeek-family model. Without arguments: with the demo model.", "mla-run");
  Flags flags;
  declare(app, flags);
  return program::run(app, argc, argv, [&] {
    if (app.count("--seed") == 0) flags.sampler.seed = std::random_device{}();
    run(flags);
  });
}
