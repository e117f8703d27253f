// OpTiming: how long an operation of the forward pass took, and how much it had to do.
#pragma once
#include <cstdint>
#include <string_view>

namespace mla {

/// Totals of one operation over all layers and calls of decode() since Context::reset_op_timings(). docs/benchmarks.md explains
/// the names.
struct OpTiming {
  std::string_view name;         ///< "q", "kv_a", "kq", "experts_gate_up" …; static
  double seconds = 0;            ///< wall time; inside attention, time of all threads divided by their number
  std::uint64_t calls = 0;       ///< inside attention, tiles
  std::uint64_t bytes = 0;       ///< of weights read (experts: those that were hit) or of cache rows read or written
  std::uint64_t operations = 0;  ///< two for each multiply-add of a matrix product
};

}  // namespace mla
