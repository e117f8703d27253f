// For the products of each instruction set; everything has internal linkage.
#pragma once
#include <immintrin.h>

#include "kernels/int16.hpp"

namespace mla::kernels {
namespace {

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

inline int pair_at(const int16_t* p) {
  int bits;
  __builtin_memcpy(&bits, p, sizeof bits);
  return bits;
}

/// Memory to be fetched in equal shares, one with each of `n_shares` groups of products: many at once would only wait for each other.
class Ahead {
 public:
  Ahead(const Int16Product& p, int64_t n_shares) : next_(p.ahead), end_(p.ahead + p.ahead_bytes), share_(p.ahead_bytes / n_shares / 64 * 64 + 64) {}
  void fetch_share() {
    for (const std::byte* const end = next_ + share_; next_ < end && next_ < end_; next_ += 64) _mm_prefetch((const char*)next_, _MM_HINT_T1);
  }

 private:
  const std::byte *next_, *end_;
  int64_t share_;
};

inline int64_t groups_of(const Int16Product& p) { return p.one_group ? 1 : (p.k + int16_group - 1) / int16_group; }

}  // namespace
}  // namespace mla::kernels
