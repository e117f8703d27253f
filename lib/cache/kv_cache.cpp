// The public KvCache: checks its arguments and passes on.
#include <mla/kv_cache.hpp>

#include <algorithm>
#include <limits>
#include <utility>

#include "cache/fill_random.hpp"
#include "cache/kv_cache_impl.hpp"
#include "cache/state_file.hpp"
#include "platform/fail.hpp"
#include "platform/file.hpp"

namespace mla {
namespace {

void check(const CacheShape& s, const KvCacheOptions& o) {
  constexpr int limit = 1 << 24;  // far above any model, low enough that the products below fit 64 bits
  const auto in_range = [](int value) { return value > 0 && value <= limit; };
  if (!in_range(s.n_layers) || !in_range(s.n_heads) || !in_range(s.n_nope) || !in_range(s.n_rope) || !in_range(s.n_value) || !in_range(s.n_latent))
    fail(Status::invalid_argument, "a KV cache needs the model's sizes: layers {}, heads {}, nope {}, rope {}, value {}, latent {}",
         s.n_layers, s.n_heads, s.n_nope, s.n_rope, s.n_value, s.n_latent);
  const std::int64_t widest = std::int64_t{s.n_heads} * (std::int64_t{s.n_nope} + s.n_value) + s.n_rope;
  if (widest > limit || std::int64_t{s.n_layers} * widest > (std::int64_t{1} << 32))
    fail(Status::invalid_argument, "a KV cache row of {} values in {} layers makes no sense", widest, s.n_layers);
  if (o.n_ctx <= 0) fail(Status::invalid_argument, "n_ctx is {}: a KV cache needs at least one row", o.n_ctx);
}

void check_sequence(SequenceId seq) {
  if (seq < 0) fail(Status::invalid_argument, "sequence id {} is negative", seq);
}

void check_one_or_all(SequenceId seq) {
  if (seq != KvCache::all_sequences) check_sequence(seq);
}

// The ends of save() and load(). A damaged state is found by its checksums, so no file waits for the disk.
class FileSink : public cache::StateSink {
 public:
  explicit FileSink(const std::string& path) : file_(path) {}
  void write(std::span<const std::byte> bytes) override { file_.write(bytes); }
  void commit() { file_.commit(false); }

 private:
  platform::FileWriter file_;
};

class MemorySink : public cache::StateSink {
 public:
  void reserve(std::uint64_t n) override { bytes.reserve(static_cast<std::size_t>(n)); }
  void write(std::span<const std::byte> more) override { bytes.insert(bytes.end(), more.begin(), more.end()); }
  std::vector<std::byte> bytes;
};

class FileSource : public cache::StateSource {
 public:
  explicit FileSource(const std::string& path) : file_(path) {}
  void read(std::span<std::byte> bytes) override { file_.read(bytes); }
  std::uint64_t size() const noexcept override { return file_.size(); }
  const std::string& name() const noexcept override { return file_.path(); }

 private:
  platform::FileReader file_;
};

class MemorySource : public cache::StateSource {
 public:
  explicit MemorySource(std::span<const std::byte> bytes) : left_(bytes), size_(bytes.size()) {}
  void read(std::span<std::byte> bytes) override {
    std::copy_n(left_.begin(), bytes.size(), bytes.begin());
    left_ = left_.subspan(bytes.size());
  }
  std::uint64_t size() const noexcept override { return size_; }
  const std::string& name() const noexcept override { return name_; }

 private:
  std::span<const std::byte> left_;
  std::uint64_t size_;
  const std::string name_ = "memory";
};

}  // namespace

KvCache::KvCache(const CacheShape& shape, const KvCacheOptions& options) {
  check(shape, options);
  impl_ = std::make_unique<Impl>(shape, options);
}
KvCache::~KvCache() = default;
KvCache::KvCache(KvCache&&) noexcept = default;
KvCache& KvCache::operator=(KvCache&&) noexcept = default;

const CacheShape& KvCache::shape() const noexcept { return impl_->shape; }
const KvCacheOptions& KvCache::options() const noexcept { return impl_->options; }

std::uint64_t KvCache::bytes_at_capacity(const CacheShape& shape, const KvCacheOptions& options) {
  check(shape, options);
  const std::uint64_t rows = (static_cast<std::uint64_t>(options.n_ctx) + page_rows - 1) / page_rows * page_rows;
  return rows * static_cast<std::uint64_t>(shape.n_layers) * cache::RowFormat::of(shape, options).bytes;
}

std::uint64_t KvCache::bytes() const noexcept { return static_cast<std::uint64_t>(impl_->pages_used()) * impl_->page_bytes(); }
std::uint64_t KvCache::row_bytes() const noexcept { return impl_->page_bytes() / page_rows; }
int KvCache::n_pages_used() const noexcept { return impl_->pages_used(); }
int KvCache::n_pages() const noexcept { return impl_->max_pages(); }

void KvCache::bind(CacheModel model) { impl_->bind(std::move(model)); }

bool KvCache::seq_rm(SequenceId seq, Position p0, Position p1) {
  check_sequence(seq);
  return impl_->seq_rm(seq, p0, p1);
}

void KvCache::seq_cp(SequenceId from, SequenceId to, Position p0, Position p1) {
  check_sequence(from);
  check_sequence(to);
  impl_->seq_cp(from, to, p0, p1);
}

void KvCache::seq_keep(SequenceId seq) {
  check_sequence(seq);
  impl_->seq_keep(seq);
}

void KvCache::seq_add(SequenceId seq, Position p0, Position p1, Position delta) {
  check_sequence(seq);
  impl_->seq_add(seq, p0, p1, delta);
}

void KvCache::defrag() { impl_->defrag(); }

void KvCache::save(const std::string& path, SequenceId seq) const {
  check_one_or_all(seq);
  FileSink file(path);
  impl_->save(file, seq);
  file.commit();
}

std::vector<std::byte> KvCache::save(SequenceId seq) const {
  check_one_or_all(seq);
  MemorySink memory;
  impl_->save(memory, seq);
  return std::move(memory.bytes);
}

void KvCache::load(const std::string& path, SequenceId seq) {
  check_one_or_all(seq);
  FileSource file(path);
  impl_->load(file, seq);
}

void KvCache::load(std::span<const std::byte> state, SequenceId seq) {
  check_one_or_all(seq);
  MemorySource memory(state);
  impl_->load(memory, seq);
}

int KvCache::reuse_prefix(SequenceId to, std::span<const Token> tokens) {
  check_sequence(to);
  for (std::size_t i = 0; i < tokens.size(); ++i)
    if (tokens[i] < 0) fail(Status::invalid_argument, "token {} of the prefix is {}", i, tokens[i]);
  return impl_->reuse_prefix(to, tokens);
}

void KvCache::fill_random(SequenceId seq, int n, std::uint64_t seed) {
  check_sequence(seq);
  const Position last = impl_->seq_pos_max(seq);
  if (n < 0 || n > std::numeric_limits<Position>::max() - 1 - last)
    fail(Status::invalid_argument, "{} random rows for sequence {}, whose last position is {}: positions end at {}", n, seq, last,
         std::numeric_limits<Position>::max());
  cache::fill_random(*impl_, seq, n, seed);
}

void KvCache::clear() noexcept { impl_->clear(); }
int KvCache::seq_len(SequenceId seq) const noexcept { return impl_->seq_len(seq); }
Position KvCache::seq_pos_min(SequenceId seq) const noexcept { return impl_->seq_pos_min(seq); }
Position KvCache::seq_pos_max(SequenceId seq) const noexcept { return impl_->seq_pos_max(seq); }

}  // namespace mla
