// A sampler with a rule of the host's own, text without a letter:  example-custom-sampler MODEL.gguf PROMPT LETTER
// The rule is a mask that sees the logits of every step and bans tokens; a grammar would be another.
#include <algorithm>
#include <cctype>
#include <iostream>
#include <limits>
#include <mla/mla.hpp>

namespace {

std::vector<mla::Token> tokens_with(const mla::Tokenizer& tokenizer, char letter) {
  std::vector<mla::Token> found;
  for (mla::Token token = 0; token < tokenizer.size(); ++token)
    if (std::ranges::any_of(tokenizer.piece(token), [&](char c) { return std::tolower(static_cast<unsigned char>(c)) == letter; }))
      found.push_back(token);
  return found;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4) return std::cerr << "usage: " << argv[0] << " MODEL.gguf PROMPT LETTER\n", 2;
  const auto model = mla::Model::load(argv[1]);
  const mla::Tokenizer& tokenizer = model->tokenizer();
  mla::SamplerOptions options{.seed = 1};
  options.mask = [banned = tokens_with(tokenizer, argv[3][0])](std::span<float> logits) {
    for (const mla::Token token : banned) logits[static_cast<std::size_t>(token)] = -std::numeric_limits<float>::infinity();
  };
  mla::Sampler sampler(options);
  mla::Context context(model);
  mla::TextStream text(tokenizer);

  mla::Batch batch = mla::Batch::of(tokenizer.encode(argv[2]));
  for (int i = 0; i < 48; ++i) {
    context.decode(batch);
    const mla::Token token = sampler.sample(context.logits());
    if (tokenizer.is_end_of_generation(token)) break;
    std::cout << text.push(token);
    batch = mla::Batch::of({token}, context.cache().seq_pos_max(0) + 1);
  }
  std::cout << text.finish() << '\n';
} catch (const mla::Error& error) {
  std::cerr << argv[0] << ": " << error.what() << '\n';
  return 1;
}
