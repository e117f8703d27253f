// Context: runs batches of tokens through a model.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <mla/attention_plan.hpp>
#include <mla/batch.hpp>
#include <mla/host.hpp>
#include <mla/imatrix.hpp>
#include <mla/kv_cache.hpp>
#include <mla/model.hpp>
#include <mla/op_timing.hpp>

namespace mla {

struct ContextOptions {
  AttentionMode attention = AttentionMode::automatic;
  int n_ctx = 4096;                        ///< rows of the cache that the context makes for itself
  int n_ubatch = 2048;                     ///< tokens computed at once; longer batches are cut. Takes memory; never more than rows of the cache
  CacheType cache_type_k = CacheType::q16_row;
  CacheType cache_type_v = CacheType::q16_row;
  std::shared_ptr<KvCache> cache = nullptr;  ///< a cache to use instead; its layout must be the one the mode needs
  int n_threads = 0;                       ///< for one token at a time; 0: default_threads()
  int n_threads_batch = 0;                 ///< for several tokens at a time; 0: n_threads
  /// A pool to use instead of the context's own. All its threads are used, unless n_threads or n_threads_batch asks for fewer and the
  /// pool is from make_thread_pool() or concurrent().
  std::shared_ptr<ThreadPool> thread_pool = nullptr;
  bool pin_threads = false;                ///< bind each thread of the context's own pool to a processor; never the calling thread
  std::shared_ptr<Allocator> allocator = nullptr;  ///< default_allocator()
  std::optional<AttentionRates> attention_rates = {};  ///< what `auto` chooses by; none: measured when first needed, and shared by the contexts of a model
  /// Logits are the same to the last bit whatever the number of threads, the length of batches and ubatches, the sequences beside, and what
  /// was in the cache already: forms of attention and orders of sums follow from shapes alone. Same processor, same build. What it costs:
  /// docs/attention.md.
  bool deterministic = false;
  AbortCallback abort = nullptr;           ///< polled while computing
  std::shared_ptr<ImatrixCollector> collector = nullptr;  ///< of the same model: sums the inputs of its matrices; costs nothing where there is none
  bool time_ops = false;                   ///< keep op_timings(); costs nothing when off, some clock reads per layer when on
};

/// Activations, logits and threads for one stream of computation. Used by one thread at a time;
/// any number of contexts may share a model. Keeps the model alive.
class Context {
 public:
  /// Throws Error: invalid_argument (sizes, or a cache of another shape or layout), out_of_memory.
  explicit Context(std::shared_ptr<const Model> model, const ContextOptions& options = {});
  ~Context();
  Context(Context&&) noexcept;
  Context& operator=(Context&&) noexcept;

  /// Adds the batch to the cache and computes the logits it asks for.
  /// Throws Error: invalid_argument, cache_full, aborted, out_of_memory; the cache is then as it was before the call,
  /// and there are no logits.
  void decode(const Batch& batch);

  /// Logits of row i of the last batch, [n_vocab]; valid until the next decode(). Throws invalid_argument if row i asked for none.
  std::span<const float> logits(int i) const;
  /// Logits of the last row that asked for them.
  std::span<const float> logits() const;

  /// What the model makes of row i of the last batch: the normalised state behind the last layer, [n_embd], which the output matrix would turn
  /// into logits. Valid until the next decode(). Throws invalid_argument if Batch::keep_embedding didn't ask for it.
  std::span<const float> embedding(int i) const;

  const std::shared_ptr<const Model>& model() const noexcept;
  KvCache& cache() noexcept;
  const ContextOptions& options() const noexcept;
  int n_threads() const noexcept;        ///< that compute one token at a time
  int n_threads_batch() const noexcept;  ///< that compute several

  /// Memory that this context holds now, in bytes: activations, scratch of its threads, logits and embeddings. Not its cache's.
  std::uint64_t bytes() const noexcept;

  /// Where the time of decode() went since the context was made or reset_op_timings(): operations that ran, in the order of
  /// the forward pass; their seconds add up to the time spent computing. Empty without ContextOptions::time_ops
  /// or time_ops(true).
  std::vector<OpTiming> op_timings() const;
  void reset_op_timings() noexcept;
  void time_ops(bool on);  ///< from the next decode() on; as ContextOptions::time_ops

  /// What mode `auto` chooses by: given, or measured; none as long as no batch of several tokens of one sequence has asked for a choice.
  std::optional<AttentionRates> attention_rates() const;

  /// Makes a running decode() stop with Status::aborted within 200 ms; from any thread. Without effect on later calls.
  void abort() noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mla
