// The public Context: checks a batch, cuts it into ubatches, and keeps cache and logits whole when something fails.
#include <mla/context.hpp>

#include <algorithm>
#include <numeric>

#include "engine/forward.hpp"
#include "engine/imatrix_collector.hpp"
#include "engine/model_impl.hpp"
#include "engine/row_outputs.hpp"
#include "platform/counting_allocator.hpp"
#include "platform/fail.hpp"
#include "platform/thread_pool.hpp"

namespace mla {
namespace {

ContextOptions checked(const std::shared_ptr<const Model>& model, const ContextOptions& o) {
  if (!model) fail(Status::invalid_argument, "a context needs a model");
  for (const int n : {o.n_threads, o.n_threads_batch})
    if (n < 0 || n > max_threads) fail(Status::invalid_argument, "{} threads: use 0 (automatic) to {}", n, max_threads);
  if (o.attention_rates) {
    const AttentionRates& r = *o.attention_rates;
    for (const double rate : {r.expanded_start, r.expanded_pair, r.expanded_key, r.absorbed_start, r.absorbed_pair, r.absorbed_query})
      if (!(rate >= 0 && rate < 1e18)) fail(Status::invalid_argument, "an attention rate is {}: nanoseconds, from 0 on, are needed", rate);
  }
  if (o.collector && o.collector->model() != model) fail(Status::invalid_argument, "the collector was made for another model");
  ContextOptions options = o;
  options.n_ubatch = engine::largest_ubatch(o);
  if (!o.cache) return options;
  if (o.cache->shape() != model->cache_shape()) fail(Status::invalid_argument, "the cache was made for a model of another shape");
  const bool expanded = o.attention == AttentionMode::deepseek2;
  if ((o.cache->options().layout == CacheLayout::expanded) != expanded)
    fail(Status::invalid_argument, "attention mode {} needs a cache of layout {}", to_string(o.attention), expanded ? "expanded" : "latent");
  return options;
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
        cache(make_cache(*model, options)),
        threads(options, model->impl().loaded.numa.get()),
        pool(options.thread_pool ? options.thread_pool : platform::make_thread_pool(std::max(threads.generation, threads.batch), options.pin_threads, model->impl().loaded.numa.get())),
        memory(std::make_shared<platform::CountingAllocator>(options.allocator)),
        logits("logits", model->info().n_vocab, memory),
        embeddings("an embedding", model->info().n_embd, memory),
        executor(pool, options.abort, engine::Forward::scratch_floats(model->impl().loaded, options.n_ubatch), memory),
        forward(model->impl().loaded, options, memory) {
    cache->bind(model->cache_model());
    pages.reserve(static_cast<std::size_t>(cache->n_pages()));
    executor.fix_order(options.deterministic);
    executor.place(model->impl().loaded.numa.get(), &model->impl().loaded.replicas);
    if (options.collector) executor.watch(&options.collector->impl());
    if (options.time_ops) executor.ops().enable(pool->n_threads());
  }

  void decode(const Batch& batch);
  std::span<const float> last_logits() const;

  const ContextOptions options;
  std::shared_ptr<const Model> model;
  std::shared_ptr<KvCache> cache;
  ThreadCounts threads;
  std::shared_ptr<ThreadPool> pool;
  const std::shared_ptr<platform::CountingAllocator> memory;  // all that follow take theirs from
  engine::RowOutputs logits, embeddings;
  platform::Executor executor;
  engine::Forward forward;

 private:
  void check(const Batch& batch) const;
  void forget_outputs() noexcept { logits.clear(), embeddings.clear(); }
  void run_ubatch(const Batch& batch, int begin, int end, KvCache::Impl::Transaction& transaction);
  void order_by_sequence(const Batch& batch, int begin, int end);
  void view_sequences();


  // The ubatch in work: rows of the batch, those of a sequence together.
  std::vector<int> order;
  std::vector<Token> tokens;
  std::vector<float> inputs;
  std::vector<Position> positions;
  std::vector<SequenceId> sequence_ids;
  std::vector<cache::RowRef> rows;
  std::vector<int> logit_rows, embedding_rows;
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
  if (!b.keep_embedding.empty() && b.keep_embedding.size() != n)
    fail(Status::invalid_argument, "the batch has {} positions and {} keep_embedding flags", n, b.keep_embedding.size());
  const int n_vocab = model->info().n_vocab;
  for (std::size_t i = 0; i < n; ++i) {
    if (!b.tokens.empty() && (b.tokens[i] < 0 || b.tokens[i] >= n_vocab))
      fail(Status::invalid_argument, "token {} of the batch is {}, and the vocabulary has {}", i, b.tokens[i], n_vocab);
    if (b.positions[i] < 0) fail(Status::invalid_argument, "position {} of the batch is {}", i, b.positions[i]);
    if (b.sequences[i] < 0) fail(Status::invalid_argument, "sequence id {} of the batch is {}", i, b.sequences[i]);
  }
}

void Context::Impl::decode(const Batch& batch) {
  forget_outputs();
  check(batch);
  try {
    logits.place(batch.logits, batch.logits.size());
    embeddings.place(batch.keep_embedding, batch.logits.size());
    KvCache::Impl::Transaction transaction(cache->impl());
    executor.session([&] {
      executor.start();
      for (int begin = 0; begin < batch.size(); begin += options.n_ubatch)
        run_ubatch(batch, begin, std::min(begin + options.n_ubatch, batch.size()), transaction);
    });
    transaction.commit();
  } catch (...) {
    forget_outputs();
    throw;
  }
}

// Attention wants the rows of a sequence together; logits come out in the batch's order all the same.
void Context::Impl::order_by_sequence(const Batch& batch, int begin, int end) {
  order.resize(static_cast<std::size_t>(end - begin));
  std::iota(order.begin(), order.end(), begin);
  std::ranges::sort(order, {}, [&](int i) { return std::pair(batch.sequences[static_cast<std::size_t>(i)], i); });
  tokens.clear(), inputs.clear(), positions.clear(), sequence_ids.clear();
  const auto n_embd = static_cast<std::size_t>(model->info().n_embd);
  for (const int row : order) {
    const auto i = static_cast<std::size_t>(row);
    if (!batch.tokens.empty())
      tokens.push_back(batch.tokens[i]);
    else
      inputs.insert(inputs.end(), batch.embeddings.begin() + static_cast<std::ptrdiff_t>(i * n_embd),
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

  place.resize(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) place[static_cast<std::size_t>(order[i] - begin)] = static_cast<int>(i);
  float* const logits_out = logits.collect(begin, end, place, logit_rows);
  float* const embeddings_out = embeddings.collect(begin, end, place, embedding_rows);
  forward.run({tokens, inputs, positions, rows, sequences, logit_rows, embedding_rows}, cache->impl(), logits_out, embeddings_out, executor);
}

std::span<const float> Context::Impl::last_logits() const {
  if (const int row = logits.last_row(); row >= 0) return logits.of_row(row);
  fail(Status::invalid_argument, "there are no logits: no row of the last batch asked for them, or decode() failed");
}

Context::Context(std::shared_ptr<const Model> model, const ContextOptions& options)
    : impl_(std::make_unique<Impl>(std::move(model), options)) {}
Context::~Context() = default;
Context::Context(Context&&) noexcept = default;
Context& Context::operator=(Context&&) noexcept = default;

void Context::decode(const Batch& batch) { impl_->decode(batch); }
std::span<const float> Context::logits(int i) const { return impl_->logits.of_row(i); }
std::span<const float> Context::logits() const { return impl_->last_logits(); }
std::span<const float> Context::embedding(int i) const { return impl_->embeddings.of_row(i); }
std::uint64_t Context::bytes() const noexcept { return impl_->memory->bytes(); }

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

std::optional<AttentionRates> Context::attention_rates() const { return impl_->forward.attention_rates(); }

void Context::reset_op_timings() noexcept { impl_->executor.ops().reset(); }
void Context::time_ops(bool on) {
  if (on)
    impl_->executor.ops().enable(impl_->pool->n_threads());
  else
    impl_->executor.ops().disable();
}

void Context::abort() noexcept { impl_->executor.abort(); }

}  // namespace mla
