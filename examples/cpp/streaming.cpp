// Text as it comes, until Ctrl-C stops it:  example-streaming MODEL.gguf PROMPT
// abort() works within 200 ms, also in the middle of a long prompt, and leaves the cache as it was before that step.
#include <csignal>
#include <iostream>
#include <mla/mla.hpp>

namespace {

volatile std::sig_atomic_t stopped = 0;

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) return std::cerr << "usage: " << argv[0] << " MODEL.gguf PROMPT\n", 2;
  std::signal(SIGINT, [](int) { stopped = 1; });
  const auto model = mla::Model::load(argv[1]);
  mla::Context context(model, {.n_ctx = 1 << 16, .abort = [] { return stopped != 0; }});
  mla::Sampler sampler({.repeat_penalty = 1.1f});
  mla::TextStream text(model->tokenizer());

  mla::Batch batch = mla::Batch::of(model->tokenizer().encode(argv[2]));
  try {
    for (mla::Token token = 0; token != model->tokenizer().eos(); batch = mla::Batch::of({token}, context.cache().seq_pos_max(0) + 1)) {
      context.decode(batch);
      token = sampler.sample(context.logits());
      sampler.accept(token);
      std::cout << text.push(token) << std::flush;
    }
  } catch (const mla::Error& error) {
    if (error.status() != mla::Status::aborted && error.status() != mla::Status::cache_full) throw;
    std::cout << " [" << to_string(error.status()) << " after " << context.cache().seq_len(0) << " tokens]";
  }
  std::cout << text.finish() << '\n';
} catch (const mla::Error& error) {
  std::cerr << argv[0] << ": " << error.what() << '\n';
  return 1;
}
