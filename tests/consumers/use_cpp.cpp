// A program from outside, in C++: the same as use_c.c.
#include <cstdio>
#include <mla/mla.hpp>

int main(int argc, char** argv) try {
  if (argc != 2) return 2;
  mla::Context context(mla::Model::load(argv[1]));
  context.decode(mla::Batch::of({300, 301, 302}));
  const mla::Token token = mla::Sampler({.temperature = 0}).sample(context.logits());
  std::printf("libmla %s: token %d\n", mla::version(), token);
} catch (const mla::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
