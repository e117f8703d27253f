#include "measure.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace bench {

Bench::Bench(std::shared_ptr<const mla::Model> model, const mla::ContextOptions& options, Fill fill)
    : context_(model, options), fill_(fill), random_(1), token_(0, model->info().n_vocab - 1) {}

void Bench::advance_to(int depth) {
  context_.cache().seq_rm(0, depth_);
  if (fill_ == Fill::random)
    context_.cache().fill_random(0, depth - depth_);
  else
    decode_random(depth - depth_, context_.options().n_ubatch);
  depth_ = depth;
}

// Tokens per second: a prompt in ubatches, or tokens one by one.
double Bench::rate(const Result& cell) {
  context_.cache().seq_rm(0, depth_);
  const int n = cell.n_prompt + cell.n_gen;
  const auto start = std::chrono::steady_clock::now();
  decode_random(n, cell.n_gen > 0 ? 1 : context_.options().n_ubatch);
  return n / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void Bench::decode_random(int n, int chunk) {
  mla::Position position = context_.cache().seq_pos_max(0) + 1;
  for (int done = 0; done < n; done += chunk) {
    mla::Batch batch;
    const int end = std::min(done + chunk, n);
    for (int i = done; i < end; ++i) batch.add(token_(random_), position++, 0, i + 1 == end);
    context_.decode(batch);
  }
}

}  // namespace bench
