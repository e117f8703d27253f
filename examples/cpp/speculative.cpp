// Several tokens a step, from a draft that costs nothing:  example-speculative MODEL.gguf PROMPT
// The draft is what followed the last two tokens where they stood before. One batch computes the logits behind every token of it; those that
// the model would have chosen itself are kept, and the cache forgets the others. The text is the one that greedy sampling writes.
#include <algorithm>
#include <iostream>
#include <mla/mla.hpp>

namespace {

using Tokens = std::vector<mla::Token>;

// At most n tokens that followed the last two of `text` at their latest earlier place.
Tokens draft(const Tokens& text, std::ptrdiff_t n) {
  if (text.size() < 3) return {};
  const auto place = std::find_end(text.begin(), text.end() - 1, text.end() - 2, text.end());
  if (place == text.end() - 1) return {};
  return {place + 2, place + 2 + std::min(n, text.end() - (place + 2))};
}

mla::Token best(std::span<const float> logits) { return static_cast<mla::Token>(std::ranges::max_element(logits) - logits.begin()); }

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) return std::cerr << "usage: " << argv[0] << " MODEL.gguf PROMPT\n", 2;
  constexpr int n_wanted = 96, n_draft = 6;
  const auto model = mla::Model::load(argv[1]);
  mla::Context context(model);
  mla::KvCache& cache = context.cache();
  mla::TextStream text(model->tokenizer());

  Tokens tokens = model->tokenizer().encode(argv[2]);
  const std::size_t n_prompt = tokens.size();
  context.decode(mla::Batch::of(tokens));
  tokens.push_back(best(context.logits()));
  int n_steps = 0;
  for (; tokens.size() < n_prompt + n_wanted; ++n_steps) {
    Tokens guess = draft(tokens, n_draft);
    guess.insert(guess.begin(), tokens.back());
    mla::Batch batch = mla::Batch::of(guess, cache.seq_pos_max(0) + 1);
    std::ranges::fill(batch.logits, 1);
    context.decode(batch);
    int row = 0;  // of the last token that is right; the first, which is no guess, always is
    while (row + 1 < batch.size() && best(context.logits(row)) == guess[static_cast<std::size_t>(row) + 1]) tokens.push_back(guess[static_cast<std::size_t>(++row)]);
    tokens.push_back(best(context.logits(row)));
    cache.seq_rm(0, batch.positions.front() + row + 1);
  }
  tokens.resize(n_prompt + n_wanted);
  for (std::size_t i = n_prompt; i < tokens.size(); ++i) std::cout << text.push(tokens[i]);
  std::cout << text.finish() << '\n';
  std::cerr << n_wanted << " tokens in " << n_steps + 1 << " steps\n";
} catch (const mla::Error& error) {
  std::cerr << argv[0] << ": " << error.what() << '\n';
  return 1;
}
