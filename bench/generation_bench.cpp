// mla-bench-generation: seconds that a host's loop takes to generate text, once for each line on standard input.
// The same loop in another language, in turns with this one, tells what its layer costs: bench/python_overhead.py.
#include <chrono>
#include <iostream>
#include <limits>
#include <optional>

#include <mla/mla.hpp>

#include "common/model_options.hpp"
#include "common/program.hpp"

namespace {

struct Loop {
  mla::Context& context;
  const mla::Tokenizer* tokenizer;  // null: the model runs on token ids, and no text is made
  std::vector<mla::Token> prompt;
  int n_predict;

  /// Seconds from the end of the prompt to the last token.
  double run() const {
    mla::SamplerOptions options;
    options.seed = 1;
    std::optional<mla::TextStream> stream;
    if (tokenizer != nullptr) {
      options.logit_bias = {{tokenizer->eos(), -std::numeric_limits<float>::infinity()}};
      stream.emplace(*tokenizer);
    }
    mla::Sampler sampler(options);
    std::string text;
    context.cache().clear();
    context.decode(mla::Batch::of(prompt));
    for (const mla::Token token : prompt) sampler.accept(token);
    mla::Position position = static_cast<mla::Position>(prompt.size());
    mla::Batch batch;
    const auto start = std::chrono::steady_clock::now();
    for (int n = 0; n < n_predict; ++n) {
      const mla::Token token = sampler.sample(context.logits());
      if (stream && tokenizer->is_end_of_generation(token)) break;
      sampler.accept(token);
      if (stream) text += stream->push(token);
      batch.clear();
      batch.add(token, position++, 0, true);
      context.decode(batch);
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
};

const mla::Tokenizer* tokenizer_of(const mla::Model& model) {
  try {
    return &model.tokenizer();
  } catch (const mla::Error&) {
    return nullptr;
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Seconds to generate text in a loop of C++, once for each line on standard input.", "mla-bench-generation");
  program::ModelFlags flags;
  int n_predict = 64;
  program::add_model_flags(app, flags, "tokens of prompt and text together; default 4096", true);
  app.add_option("-n,--n-predict", n_predict, "tokens to generate")->check(program::whole_number(1, 1 << 20))->capture_default_str();
  return program::run(app, argc, argv, [&] {
    const auto model = program::load_model(flags);
    mla::Context context(model, program::context_options(flags, flags.n_ctx > 0 ? flags.n_ctx : 4096));
    const Loop loop{context, tokenizer_of(*model), {0, 11, 12, 13}, n_predict};
    for (std::string line; std::getline(std::cin, line);) std::cout << loop.run() << std::endl;
  });
}
