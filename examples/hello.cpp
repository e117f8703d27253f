// Continues a text, in C++:  mla-hello-cpp MODEL.gguf "Once upon a time"
#include <iostream>
#include <mla/mla.hpp>

int main(int argc, char** argv) try {
  if (argc != 3) return std::cerr << "usage: " << argv[0] << " MODEL.gguf PROMPT\n", 2;
  const auto model = mla::Model::load(argv[1]);
  mla::Context context(model);
  mla::Sampler sampler;
  mla::TextStream text(model->tokenizer());

  mla::Batch batch = mla::Batch::of(model->tokenizer().encode(argv[2]));
  std::cout << argv[2];
  for (int i = 0; i < 64; ++i) {
    context.decode(batch);
    const mla::Token token = sampler.sample(context.logits());
    if (model->tokenizer().is_end_of_generation(token)) break;
    std::cout << text.push(token) << std::flush;
    batch = mla::Batch::of({token}, context.cache().seq_pos_max(0) + 1);
  }
  std::cout << text.finish() << '\n';
} catch (const mla::Error& error) {
  std::cerr << argv[0] << ": " << error.what() << '\n';
  return 1;
}
