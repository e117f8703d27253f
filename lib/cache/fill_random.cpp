#include "cache/fill_random.hpp"

#include <cstring>
#include <vector>

namespace mla::cache {
namespace {

// Enough that neighbours differ and quantised rows have all sorts of scales; a prime, so that a page's rows fall on all of them.
constexpr int n_patterns = 127;

// splitmix64 (Steele, Lea and Flood 2014): a few lines, and the same values everywhere.
class Uniform {
 public:
  explicit Uniform(std::uint64_t seed) : state_(seed) {}
  float operator()() noexcept {  // -1 to 1
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<float>(static_cast<std::int64_t>(z ^ (z >> 31)) >> 40) * 0x1p-23f;
  }

 private:
  std::uint64_t state_;
};

// [n_patterns] rows in the cache's format.
std::vector<std::byte> make_patterns(const RowFormat& format, std::uint64_t seed) {
  Uniform uniform(seed);
  std::vector<std::byte> rows(n_patterns * format.bytes);
  std::vector<float> values;
  for (std::size_t i = 0; i < n_patterns; ++i)
    for (const RowPart* part : {&format.key, &format.rope, &format.value}) {
      values.resize(static_cast<std::size_t>(part->width));
      for (float& value : values) value = uniform();
      write_part(*part, values.data(), rows.data() + i * format.bytes);
    }
  return rows;
}

}  // namespace

void fill_random(KvCache::Impl& cache, SequenceId seq, int n, std::uint64_t seed) {
  const std::vector<std::byte> patterns = make_patterns(cache.format, seed);
  const Position first = cache.seq_pos_max(seq) + 1;
  KvCache::Impl::Transaction transaction(cache);
  for (int i = 0; i < n; ++i) {
    const RowRef ref = transaction.append(seq, first + i);
    for (int layer = 0; layer < cache.shape.n_layers; ++layer) {
      const auto pattern = static_cast<std::size_t>((std::int64_t{first} + i + std::int64_t{31} * layer) % n_patterns);
      std::memcpy(cache.row(ref, layer), patterns.data() + pattern * cache.format.bytes, cache.format.bytes);
    }
  }
  transaction.commit();
}

}  // namespace mla::cache
