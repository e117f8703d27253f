// mla-run: continues a prompt.
#include <chrono>
#include <cstdio>

#include <mla/context.hpp>
#include <mla/error.hpp>
#include <mla/sampler.hpp>

#include "common/model_options.hpp"
#include "common/program.hpp"
#include "common/sampler_flags.hpp"

namespace {

using program::whole_number;

constexpr int default_n_ctx = 4096;

struct Flags {
  program::ModelFlags model;
  std::string prompt = "In the beginning";
  std::string prompt_file;
  int n_predict = 256;
  bool no_display_prompt = false;
  program::SamplerFlags sampler;
};

void declare(CLI::App& app, Flags& f) {
  program::add_model_flags(app, f.model, "tokens of prompt and answer together; default " + std::to_string(default_n_ctx), true);
  auto* prompt = app.add_option("-p,--prompt", f.prompt, "text to continue")->capture_default_str();
  app.add_option("-f,--file", f.prompt_file, "read the prompt from a file, without its last line end; -: from standard input")
      ->check(program::file_name())->excludes(prompt);
  app.add_option("-n,--n-predict", f.n_predict, "tokens to generate at most; -1: until the model ends or the context is full")
      ->check(whole_number(-1, 1 << 30))->capture_default_str();
  app.add_flag("--no-display-prompt", f.no_display_prompt, "print only what is generated");
  program::add_sampler_flags(app, f.sampler);
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
      : flags_(flags), tokenizer_(model.tokenizer()), context_(context), sampler_(flags.sampler.options), stream_(model.tokenizer()) {}

  void read_prompt(const std::vector<mla::Token>& tokens);
  void generate();
  void report() const;

 private:
  bool has_room() const { return position_ < context_.options().n_ctx; }
  void decode(const mla::Batch& batch, Speed& speed);
  mla::Token sample();

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

mla::Token Generator::sample() {
  try {
    return sampler_.sample(context_.logits());
  } catch (const mla::Error& error) {  // logits that are no numbers: the model's fault
    throw program::Failure(program::model_path(flags_.model) + ": " + error.what());
  }
}

void Generator::generate() {
  mla::Batch batch;
  bool full = false;
  try {
    for (int n = 0; n != flags_.n_predict && !program::interrupted(); ++n) {
      const mla::Token token = sample();
      if (tokenizer_.is_end_of_generation(token)) break;
      sampler_.accept(token);
      program::print(stream_.push(token));
      if (n + 1 == flags_.n_predict) break;
      if (full = !has_room(); full) break;
      batch.clear();
      batch.add(token, position_, 0, true);
      decode(batch, generation_speed_);
    }
  } catch (const mla::Error& error) {
    if (error.status() != mla::Status::aborted) throw;
  }
  program::print(stream_.finish() + "\n");
  if (full && flags_.n_predict >= 0)
    program::notice("stopped, the context of " + std::to_string(position_) + " tokens is full: raise it with -c");
}

void Generator::report() const {
  std::fprintf(stderr, "prompt: %d tokens, %.1f tokens/s; generation: %d tokens, %.1f tokens/s (%d threads, seed %llu)\n",
               prompt_speed_.n_tokens, prompt_speed_.rate(), generation_speed_.n_tokens, generation_speed_.rate(),
               context_.n_threads(), static_cast<unsigned long long>(flags_.sampler.options.seed));
}

// Editors end a file with a line end, which would be the first thing that the model has to continue.
std::string prompt_from(const std::string& file) {
  std::string text = program::read_file(file);
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

void run(const Flags& flags) {
  const std::string prompt = flags.prompt_file.empty() ? flags.prompt : prompt_from(flags.prompt_file);
  const auto model = program::load_model(flags.model);
  const std::vector<mla::Token> tokens = model->tokenizer().encode(prompt);
  mla::Context context(model, program::context_options(flags.model, flags.model.n_ctx > 0 ? flags.model.n_ctx : default_n_ctx));
  Generator generator(flags, *model, context);
  generator.read_prompt(tokens);
  if (!flags.no_display_prompt) program::print(prompt);  // now that no progress display can overwrite it
  generator.generate();
  if (flags.model.verbose || program::stderr_is_terminal()) generator.report();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Continues a prompt with a DeepSeek-family model. Without arguments: with the demo model.", "mla-run");
  Flags flags;
  declare(app, flags);
  return program::run(app, argc, argv, [&] {
    flags.sampler.choose_seed();
    run(flags);
  });
}
