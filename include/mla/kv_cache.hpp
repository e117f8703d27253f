// KvCache: the keys and values of the sequences that a context works on.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <mla/host.hpp>
#include <mla/types.hpp>

namespace mla {

/// The sizes that a cache row depends on; Model::cache_shape() fills it.
struct CacheShape {
  int n_layers = 0;
  int n_heads = 0;
  int n_nope = 0;    ///< width of a head's key without rope
  int n_rope = 0;    ///< width of the rope part, shared by all heads
  int n_value = 0;   ///< width of a head's value
  int n_latent = 0;  ///< kv_lora_rank, width of the latent c

  bool operator==(const CacheShape&) const = default;
};

/// What a cache must know of its model beside the shape. Model::cache_model() fills it.
struct CacheModel {
  std::vector<double> rope_frequencies;  ///< [n_rope / 2] radians that pair (2i, 2i+1) of a key turns per position, scaling (YaRN) included
  std::uint64_t fingerprint = 0;         ///< tells models apart; 0: unknown
};

struct KvCacheOptions {
  CacheLayout layout = CacheLayout::latent;
  int n_ctx = 4096;                     ///< token rows in all sequences together, rounded up to whole pages
  CacheType type_k = CacheType::q16_row;  ///< latent rows, or keys of the expanded layout
  CacheType type_v = CacheType::q16_row;  ///< values of the expanded layout; the latent layout has none
  std::shared_ptr<Allocator> allocator = nullptr;  ///< default_allocator()
};

/// Pages of 64 token rows, reference-counted: copies of a sequence share pages until one of them writes.
/// Used by one context at a time; not thread-safe. Positions within a sequence need not be contiguous.
class KvCache {
 public:
  static constexpr int page_rows = 64;

  /// Throws Error: invalid_argument (a size that can't be, or a row type that doesn't divide the row).
  /// Memory for pages is taken from the allocator as they are first needed and kept for reuse.
  KvCache(const CacheShape& shape, const KvCacheOptions& options);
  ~KvCache();
  KvCache(KvCache&&) noexcept;
  KvCache& operator=(KvCache&&) noexcept;

  const CacheShape& shape() const noexcept;
  const KvCacheOptions& options() const noexcept;

  /// Bytes that a cache of this shape takes when its n_ctx rows are all in use; allocates nothing.
  static std::uint64_t bytes_at_capacity(const CacheShape& shape, const KvCacheOptions& options);
  std::uint64_t bytes() const noexcept;       ///< bytes of the pages that sequences refer to now; shared pages count once
  std::uint64_t row_bytes() const noexcept;   ///< bytes a token takes, all layers together
  int n_pages_used() const noexcept;
  int n_pages() const noexcept;

  /// Tells the cache whose rows it holds; a context does so with its model. Needed before seq_add(), and for state files to be refused by
  /// other models. Throws invalid_argument (another number of frequencies; or the cache holds rows of a model with another fingerprint).
  void bind(CacheModel model);

  /// Removes the positions p0 <= p < p1 of a sequence; p1 < 0 means to its end. True if the sequence had any.
  bool seq_rm(SequenceId seq, Position p0 = 0, Position p1 = -1);
  /// Replaces sequence `to` by a copy of positions p0 <= p < p1 of `from`, sharing pages. Throws invalid_argument if from == to.
  void seq_cp(SequenceId from, SequenceId to, Position p0 = 0, Position p1 = -1);
  /// Removes every sequence but this one.
  void seq_keep(SequenceId seq);
  /// Context shift: moves the positions p0 <= p < p1 of a sequence (p1 < 0: to its end) by delta, turning the rope part of their keys by as
  /// much; the part is rounded once more to its type. Pages shared with other sequences are copied first. To drop the oldest rows of a full
  /// context: seq_rm(seq, 0, n), then seq_add(seq, n, -1, -n).
  /// Throws Error: invalid_argument (no bind() before; positions below 0, or not in rising order any more), cache_full, out_of_memory; the
  /// cache is then as it was.
  void seq_add(SequenceId seq, Position p0, Position p1, Position delta);
  void clear() noexcept;

  /// Packs live rows into as few pages as possible, where pages belong to one sequence or are shared alike by several, and gives all pages that
  /// are not in use back to the allocator. Throws out_of_memory; the cache is then as it was.
  void defrag();

  static constexpr SequenceId all_sequences = -1;
  /// A sequence, or all, as a state that load() reads on any machine: rows, positions, tokens and what the sequences share
  /// (docs/kv-cache.md). A file is written beside `path` and renamed when it is whole, without waiting for the disk.
  /// Throws Error: invalid_argument (an empty sequence), io_error, out_of_memory.
  void save(const std::string& path, SequenceId seq = all_sequences) const;
  std::vector<std::byte> save(SequenceId seq = all_sequences) const;
  /// Replaces sequence `seq` by the one that the state holds, or all sequences by all of the state's. Wants free pages for it, beside those
  /// of what is replaced. A state of another model, shape, layout or row type, or a damaged one, is refused whole.
  /// Throws Error: bad_file, unsupported (a newer version), invalid_argument (not this cache's, or not one sequence), not_found, io_error,
  /// cache_full, out_of_memory; the cache is then as it was.
  void load(const std::string& path, SequenceId seq = all_sequences);
  void load(std::span<const std::byte> state, SequenceId seq = all_sequences);

  /// Makes sequence `to` the longest beginning of `tokens` (at positions 0, 1, 2, …) that the cache holds in any sequence, sharing its pages,
  /// and returns how many tokens that is; decode the others behind them. `to` loses what it had beyond that. Rows made from embeddings never
  /// match. To get the logits of the last token, which must be computed, leave it out. Throws invalid_argument, out_of_memory.
  int reuse_prefix(SequenceId to, std::span<const Token> tokens);

  /// Appends n rows of random values from -1 to 1 to a sequence, behind its last position, as if n tokens had been computed: for
  /// benchmarks, since the cost of attention doesn't depend on the values. The rows come from `seed`; 127 different ones repeat.
  /// Throws invalid_argument (n < 0, positions above the largest), cache_full, out_of_memory; the cache is then as it was.
  void fill_random(SequenceId seq, int n, std::uint64_t seed = 0);

  int seq_len(SequenceId seq) const noexcept;           ///< rows of the sequence
  Position seq_pos_min(SequenceId seq) const noexcept;  ///< -1 if empty
  Position seq_pos_max(SequenceId seq) const noexcept;  ///< -1 if empty

  class Impl;  ///< for the library's own use
  Impl& impl() noexcept { return *impl_; }
  const Impl& impl() const noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace mla
