#include "common/rows.hpp"

#include <algorithm>

namespace program {
namespace {

std::shared_ptr<mla::ThreadPool> make_pool(const ModelFlags& flags) {
  mla::ThreadPoolOptions options;
  options.n_threads = std::max(flags.n_threads, flags.n_threads_batch);
  options.numa = mla::parse_numa(flags.numa);
  options.pin = flags.pin;
  return mla::make_thread_pool(options);
}

mla::ContextOptions options_of(const ModelFlags& flags, int n_ctx, std::shared_ptr<mla::ThreadPool> pool,
                               std::shared_ptr<mla::ImatrixCollector> collector) {
  mla::ContextOptions options = context_options(flags, n_ctx);
  options.thread_pool = std::move(pool);
  options.collector = std::move(collector);
  return options;
}

}  // namespace

void Piece::for_each(const std::function<void(std::size_t i, std::span<const float> logits)>& use) const {
  if (rows_.empty()) return;
  auto task = [&](int index) {
    const auto i = static_cast<std::size_t>(index);
    use(i, logits(i));
  };
  pool_.run(static_cast<int>(rows_.size()), {[](void* data, int index, int) { (*static_cast<decltype(task)*>(data))(index); }, &task});
}

Scorer::Scorer(std::shared_ptr<const mla::Model> model, const ModelFlags& flags, std::size_t n_batch, int n_ctx,
               std::shared_ptr<mla::ImatrixCollector> collector)
    : n_batch_(n_batch), pool_(make_pool(flags)), context_(std::move(model), options_of(flags, n_ctx, pool_, std::move(collector))) {}

void Scorer::decode(const mla::Batch& rows, const std::function<void(const Piece&)>& use) {
  const auto n = static_cast<std::size_t>(rows.size());
  mla::Batch batch;
  for (std::size_t begin = 0; begin < n; begin += n_batch_) {
    const std::size_t end = std::min(n, begin + n_batch_);
    std::vector<std::size_t> wanted;
    batch.clear();
    for (std::size_t i = begin; i < end; ++i) {
      batch.add(rows.tokens[i], rows.positions[i], rows.sequences[i], rows.logits[i] != 0);
      if (rows.logits[i] != 0) wanted.push_back(i);
    }
    context_.decode(batch);
    use(Piece(context_, *pool_, begin, end, std::move(wanted)));
  }
}

}  // namespace program
