// The public Context: checks a batch, cuts it into ubatches, and keeps cache and logits whole when something fails.
#include <mla/context.hpp>

#include <algorithm>
#include <numeric>

#include "engine/forward.hpp"
#include "engine/imatrix_collector.hpp"
#include "engine/model_impl.hpp"
#include "platform/fail.hpp"
#include "platform/thread_pool.hpp"

namespace mla {
namespace {

const ContextOptions& checked(const std::shared_ptr<const Model>& model, const ContextOptions& o) {
  if (!model) fail(Status::invalid_argument, "a context needs a model");
  if (o.n_ubatch < 1 || o.n_ubatch > (1 << 16)) fail(Status::invalid_argument, "n_ubatch is {}: use 1 to 65536", o.n_ubatch);
  for (const int n : {o.n_threads, o.n_threads_batch})
    if (n < 0 || n > max_threads) fail(Status::invalid_argument, "{} threads: use 0 (automatic) to {}", n, max_threads);
  if (o.collector && o.collector->model() != model) fail(Status::invalid_argument, "the collector was made for another model");
  if (!o.cache) return o;
  if (o.cache->shape() != model->cache_shape()) fail(Status::invalid_argument, "the cache was made for a model of another shape");
  const bool expanded = o.attention == AttentionMode::deepseek2;
  if ((o.cache->options().layout == CacheLayout::expanded) != expanded)
    fail(Status::invalid_argument, "attention mode {} needs a cache of layout {}", to_string(o.attention), expanded ? "expanded" : "latent");
  return o;
}

// How many threads compute one token at a time, and how many several.
struct ThreadCounts {
  int generation, batch;

  ThreadCounts(const ContextOptions& o, const platform::NumaPlan* numa) {
    const int all = o.thread_pool ? o.thread_pool->n_threads() : o.n_threads > 0 ? o.n_threads : numa != nullptr ? platform::default_threads(numa->topology) : default_threads();
    generation = o.n_threads > 0 ? std::min(o.n_threads, all) : all;
    batch = o.n_threads_batch == 0 ? generation : o.thread_pool ? std::min(o.n_threads_batch, all) : o.n_threads_batch;
  }
};

std::shared_ptr<KvCache> make_cache(const Model& model, const ContextOptions& o) {
  if (o.cache) return o.cache;
  const CacheLayout layout = o.attention == AttentionMode::deepseek2 ? CacheLayout::expanded : CacheLayout::latent;
  return std::make_shared<KvCache>(model.cache_shape(), KvCacheOptions{layout, o.n_ctx, o.cache_type_k, o.cache_type_v, o.allocator});
}

}  // namespace

class Context::Impl {
 public:
  Impl(std::shared_ptr<const Model> m, const ContextOptions& o)
      : options(checked(m, o)),
        model(std::move(m)),
        cache(make_cache(*model, o)),
        threads(o, model->impl().loaded.numa.get()),
        pool(o.thread_pool ? o.thread_pool : platform::make_thread_pool(std::max(threads.generation, threads.batch), o.pin_threads, model->impl().loaded.numa.get())),
        executor(pool, o.abort, engine::Forward::scratch_floats(model->impl().loaded, o.n_ubatch), o.allocator),
        forward(model->impl().loaded, o.attention, o.n_ubatch, o.allocator) {
    cache->bind(model->cache_model());
    pages.reserve(static_cast<std::size_t>(cache->n_pages()));
    executor.place(model->impl().loaded.numa.get(), &model->impl().loaded.replicas);
    if (o.collector) executor.watch(&o.collector->impl());
    if (o.time_ops) executor.ops().enable(pool->n_threads());
  }

  void decode(const Batch& batch);
  std::span<const float> logits(int i) const;
  std::span<const float> last_logits() const;
  std::span<const float> embedding(int i) const;

  const ContextOptions options;
  std::shared_ptr<const Model> model;
  std::shared_ptr<KvCache> cache;
  ThreadCounts threads;
  std::shared_ptr<ThreadPool> pool;
  platform::Executor executor;

 private:
  void check(const Batch& batch) const;
  void place_logits(const Batch& batch);
  std::size_t wanted_row(int i) const;
  void run_ubatch(const Batch& batch, int begin, int end, KvCache::Impl::Transaction& transaction);
  void order_by_sequence(const Batch& batch, int begin, int end);
  void view_sequences();

  engine::Forward forward;
  std::vector<int> logit_index;  // [batch] row of `logit_memory`, or -1
  platform::Buffer logit_memory, embedding_memory;

  // The ubatch in work: rows of the batch, those of a sequence together.
  std::vector<int> order;
  std::vector<Token> tokens;
  std::vector<float> embeddings;
  std::vector<Position> positions;
  std::vector<SequenceId> sequence_ids;
  std::vector<cache::RowRef> rows;
  std::vector<int> logit_rows;
  std::vector<int> place;  // [ubatch] row of the ubatch that a row of the batch became
  std::vector<cache::PageView> pages;
  std::vector<std::size_t> page_ends;  // [sequences] in `pages`
  std::vector<attention::SequenceRows> sequences;
};

void Context::Impl::check(const Batch& b) const {
  const auto n = b.positions.size();
  const auto n_embd = static_cast<std::size_t>(model->info().n_embd);
  if (n == 0) fail(Status::invalid_argument, "the batch is empty");
  if (n > (std::size_t{1} << 30)) fail(Status::invalid_argument, "a batch of {} rows is too large", n);
  if (b.tokens.empty() == b.embeddings.empty()) fail(Status::invalid_argument, "a batch holds either tokens or embeddings");
  if (b.embeddings.empty() ? b.tokens.size() != n : b.embeddings.size() != n * n_embd)
    fail(Status::invalid_argument, "the batch has {} positions, {} tokens and {} embedding values of {} each", n, b.tokens.size(),
         b.embeddings.size(), n_embd);
  if (b.sequences.size() != n || b.logits.size() != n)
    fail(Status::invalid_argument, "the batch has {} positions, {} sequence ids and {} logits flags", n, b.sequences.size(), b.logits.size());
  const int n_vocab = model->info().n_vocab;
  for (std::size_t i = 0; i < n; ++i) {
    if (!b.tokens.empty() && (b.tokens[i] < 0 || b.tokens[i] >= n_vocab))
      fail(Status::invalid_argument, "token {} of the batch is {}, and the vocabulary has {}", i, b.tokens[i], n_vocab);
    if (b.positions[i] < 0) fail(Status::invalid_argument, "position {} of the batch is {}", i, b.positions[i]);
    if (b.sequences[i] < 0) fail(Status::invalid_argument, "sequence id {} of the batch is {}", i, b.sequences[i]);
  }
}

void Context::Impl::decode(const Batch& batch) {
  logit_index.clear();
  check(batch);
  try {
    place_logits(batch);
    KvCache::Impl::Transaction transaction(cache->impl());
    executor.session([&] {
      executor.start();
      for (int begin = 0; begin < batch.size(); begin += options.n_ubatch)
        run_ubatch(batch, begin, std::min(begin + options.n_ubatch, batch.size()), transaction);
    });
    transaction.commit();
  } catch (...) {
    logit_index.clear();
    throw;
  }
}

void Context::Impl::place_logits(const Batch& batch) {
  int n = 0;
  logit_index.reserve(static_cast<std::size_t>(batch.size()));
  for (const std::uint8_t wanted : batch.logits) logit_index.push_back(wanted ? n++ : -1);
  const auto reserve = [&](platform::Buffer& memory, int width, const char* what) {
    const std::size_t bytes = static_cast<std::size_t>(n) * static_cast<std::size_t>(width) * sizeof(float);
    if (bytes > memory.size()) memory = platform::Buffer(options.allocator, bytes, what);
  };
  reserve(logit_memory, model->info().n_vocab, "logits");
  reserve(embedding_memory, model->info().n_embd, "embeddings");
}

// Attention wants the rows of a sequence together; logits come out in the batch's order all the same.
void Context::Impl::order_by_sequence(const Batch& batch, int begin, int end) {
  order.resize(static_cast<std::size_t>(end - begin));
  std::iota(order.begin(), order.end(), begin);
  std::ranges::sort(order, {}, [&](int i) { return std::pair(batch.sequences[static_cast<std::size_t>(i)], i); });
  tokens.clear(), embeddings.clear(), positions.clear(), sequence_ids.clear(), logit_rows.clear();
  const auto n_embd = static_cast<std::size_t>(model->info().n_embd);
  for (const int row : order) {
    const auto i = static_cast<std::size_t>(row);
    if (!batch.tokens.empty())
      tokens.push_back(batch.tokens[i]);
    else
      embeddings.insert(embeddings.end(), batch.embeddings.begin() + static_cast<std::ptrdiff_t>(i * n_embd),
                        batch.embeddings.begin() + static_cast<std::ptrdiff_t>((i + 1) * n_embd));
    positions.push_back(batch.positions[i]);
    sequence_ids.push_back(batch.sequences[i]);
  }
}

// Runs of equal sequence id, each with the pages that its last query may see.
void Context::Impl::view_sequences() {
  sequences.clear(), pages.clear(), page_ends.clear();
  for (std::size_t first = 0; first < sequence_ids.size();) {
    std::size_t end = first;
    while (end < sequence_ids.size() && sequence_ids[end] == sequence_ids[first]) ++end;
    cache->impl().view(sequence_ids[first], positions[end - 1], pages);
    page_ends.push_back(pages.size());
    sequences.push_back({static_cast<int>(first), static_cast<int>(end - first), {}});
    first = end;
  }
  for (std::size_t i = 0, begin = 0; i < sequences.size(); begin = page_ends[i++])  // only now: `pages` has stopped moving
    sequences[i].pages = std::span<const cache::PageView>(pages).subspan(begin, page_ends[i] - begin);
}

void Context::Impl::run_ubatch(const Batch& batch, int begin, int end, KvCache::Impl::Transaction& transaction) {
  executor.use_threads(end - begin == 1 ? threads.generation : threads.batch);
  order_by_sequence(batch, begin, end);
  rows.clear();
  for (std::size_t i = 0; i < positions.size(); ++i)
    rows.push_back(transaction.append(sequence_ids[i], positions[i], tokens.empty() ? cache::no_token : tokens[i]));
  view_sequences();

  // Rows of the ubatch that want logits, in the batch's order: their logits are then neighbours in `logit_memory`.
  place.resize(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) place[static_cast<std::size_t>(order[i] - begin)] = static_cast<int>(i);
  int first_logit = -1;
  for (int i = begin; i < end; ++i) {
    if (logit_index[static_cast<std::size_t>(i)] < 0) continue;
    if (first_logit < 0) first_logit = logit_index[static_cast<std::size_t>(i)];
    logit_rows.push_back(place[static_cast<std::size_t>(i - begin)]);
  }
  const auto from_first = [&](platform::Buffer& memory, int width) {
    return memory.as<float>().data() + static_cast<std::size_t>(std::max(first_logit, 0)) * static_cast<std::size_t>(width);
  };
  const engine::ForwardOutput out{from_first(logit_memory, model->info().n_vocab), from_first(embedding_memory, model->info().n_embd)};
  forward.run({tokens, embeddings, positions, rows, sequences, logit_rows}, cache->impl(), out, executor);
}

// Which of the rows with logits row i of the last batch is.
std::size_t Context::Impl::wanted_row(int i) const {
  if (i < 0 || i >= static_cast<int>(logit_index.size()))
    fail(Status::invalid_argument, "row {} of the last batch: it has {} rows", i, logit_index.size());
  const int index = logit_index[static_cast<std::size_t>(i)];
  if (index < 0) fail(Status::invalid_argument, "row {} of the last batch did not ask for logits", i);
  return static_cast<std::size_t>(index);
}

std::span<const float> Context::Impl::logits(int i) const {
  const auto n_vocab = static_cast<std::size_t>(model->info().n_vocab);
  return {reinterpret_cast<const float*>(logit_memory.data()) + wanted_row(i) * n_vocab, n_vocab};
}

std::span<const float> Context::Impl::embedding(int i) const {
  const auto n_embd = static_cast<std::size_t>(model->info().n_embd);
  return {reinterpret_cast<const float*>(embedding_memory.data()) + wanted_row(i) * n_embd, n_embd};
}

std::span<const float> Context::Impl::last_logits() const {
  for (auto i = static_cast<int>(logit_index.size()); i-- > 0;)
    if (logit_index[static_cast<std::size_t>(i)] >= 0) return logits(i);
  fail(Status::invalid_argument, "there are no logits: no row of the last batch asked for them, or decode() failed");
}

Context::Context(std::shared_ptr<const Model> model, const ContextOptions& options)
    : impl_(std::make_unique<Impl>(std::move(model), options)) {}
Context::~Context() = default;
Context::Context(Context&&) noexcept = default;
Context& Context::operator=(Context&&) noexcept = default;

void Context::decode(const Batch& batch) { impl_->decode(batch); }
std::span<const float> Context::logits(int i) const { return impl_->logits(i); }
std::span<const float> Context::embedding(int i) const { return impl_->embedding(i); }

std::span<const float> Context::logits() const { return impl_->last_logits(); }

const std::shared_ptr<const Model>& Context::model() const noexcept { return impl_->model; }
KvCache& Context::cache() noexcept { return *impl_->cache; }
const ContextOptions& Context::options() const noexcept { return impl_->options; }
int Context::n_threads() const noexcept { return impl_->threads.generation; }
int Context::n_threads_batch() const noexcept { return impl_->threads.batch; }

std::vector<OpTiming> Context::op_timings() const {
  std::vector<OpTiming> timings;
  for (std::size_t i = 0; i < platform::n_ops; ++i) {
    const auto op = static_cast<platform::Op>(i);
    const platform::OpTotal& total = impl_->executor.ops().total(op);
    if (total.calls > 0) timings.push_back({platform::op_name(op), total.seconds, total.calls, total.work.bytes, total.work.operations});
  }
  return timings;
}

void Context::reset_op_timings() noexcept { impl_->executor.ops().reset(); }

void Context::abort() noexcept { impl_->executor.abort(); }

}  // namespace mla
