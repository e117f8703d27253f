// The sampler's random numbers.
#pragma once
#include <array>
#include <cstdint>

namespace mla::sampling {

/// The next number of SplitMix64 (Steele, Lea, Flood 2014; Vigna's splitmix64.c); advances `state`.
std::uint64_t splitmix64(std::uint64_t& state) noexcept;

/// xoshiro256++ 1.0 (Blackman, Vigna 2019).
class Xoshiro256pp {
 public:
  explicit Xoshiro256pp(const std::array<std::uint64_t, 4>& state) noexcept : state_(state) {}
  /// The state is the first four outputs of SplitMix64 from `seed`, as its authors advise.
  static Xoshiro256pp seeded(std::uint64_t seed) noexcept;

  std::uint64_t next() noexcept;
  /// A multiple of 2^-53 in [0, 1), each equally likely.
  double uniform() noexcept { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  std::array<std::uint64_t, 4> state_;
};

}  // namespace mla::sampling
