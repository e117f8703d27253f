// Rows that no model computed, for benchmarks.
#pragma once
#include <cstdint>

#include "cache/kv_cache_impl.hpp"

namespace mla::cache {

/// KvCache::fill_random() after its arguments were checked.
void fill_random(KvCache::Impl& cache, SequenceId seq, int n, std::uint64_t seed);

}  // namespace mla::cache
