#include "sampling/random.hpp"

#include <bit>

namespace mla::sampling {

std::uint64_t splitmix64(std::uint64_t& state) noexcept {
  state += 0x9e3779b97f4a7c15;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

Xoshiro256pp Xoshiro256pp::seeded(std::uint64_t seed) noexcept {
  std::array<std::uint64_t, 4> state;
  for (std::uint64_t& word : state) word = splitmix64(seed);
  return Xoshiro256pp(state);
}

std::uint64_t Xoshiro256pp::next() noexcept {
  const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

}  // namespace mla::sampling
