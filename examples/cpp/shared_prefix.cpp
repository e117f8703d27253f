// Users who share a long beginning, which is computed and kept once:  example-shared-prefix MODEL.gguf PREFIX QUESTION …
// Each user is a sequence; their sequences refer to the same pages of the cache until one of them writes.
#include <iostream>
#include <mla/mla.hpp>

int main(int argc, char** argv) try {
  if (argc < 4) return std::cerr << "usage: " << argv[0] << " MODEL.gguf PREFIX QUESTION …\n", 2;
  const auto model = mla::Model::load(argv[1]);
  const mla::Tokenizer& tokenizer = model->tokenizer();
  mla::Context context(model);
  mla::KvCache& cache = context.cache();

  for (int user = 0; user < argc - 3; ++user) {
    const auto tokens = tokenizer.encode(std::string(argv[2]) + argv[user + 3]);
    // What any sequence has of it already; the last token is left out, because its logits are wanted.
    const int known = cache.reuse_prefix(user, std::span(tokens).first(tokens.size() - 1));
    mla::Batch batch = mla::Batch::of({tokens.begin() + known, tokens.end()}, known, user);
    std::cout << "user " << user << ": " << known << " of " << tokens.size() << " tokens were known;";
    mla::Sampler sampler({.temperature = 0});
    mla::TextStream text(tokenizer);
    for (int i = 0; i < 12; ++i) {
      context.decode(batch);
      const mla::Token token = sampler.sample(context.logits());
      std::cout << text.push(token);
      batch = mla::Batch::of({token}, cache.seq_pos_max(user) + 1, user);
    }
    std::cout << text.finish() << '\n';
  }
  std::cout << cache.n_pages_used() << " pages of " << mla::KvCache::page_rows << " rows, " << cache.bytes() << " bytes\n";
} catch (const mla::Error& error) {
  std::cerr << argv[0] << ": " << error.what() << '\n';
  return 1;
}
