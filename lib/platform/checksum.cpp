#include "platform/checksum.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace mla::platform {
namespace {

// One-to-one in both arguments. Products carry bits upwards only: of two with a rotation between, each bit of a word reaches far and wide
// before the next word comes. (The round of xxHash64 has this shape.)
std::uint64_t mix(std::uint64_t state, std::uint64_t word) noexcept {
  return std::rotl(state + word * 0xd1b54a32d192ed03u, 31) * 0x9e3779b97f4a7c15u;
}

// Four lanes, so that four multiplications are in flight.
template <std::size_t n>
void take_blocks(std::array<std::uint64_t, n>& lanes, const std::byte* data, std::size_t n_blocks) noexcept {
  std::array<std::uint64_t, n> state = lanes;
  for (std::size_t block = 0; block < n_blocks; ++block, data += n * sizeof(std::uint64_t)) {
    std::array<std::uint64_t, n> words;
    std::memcpy(words.data(), data, sizeof words);
    for (std::size_t i = 0; i < n; ++i) state[i] = mix(state[i], words[i]);
  }
  lanes = state;
}

}  // namespace

void Checksum::update(std::span<const std::byte> bytes) noexcept {
  const std::size_t held = n_bytes_ % block_bytes;
  n_bytes_ += bytes.size();
  if (held > 0) {
    const std::size_t n = std::min(bytes.size(), block_bytes - held);
    std::copy_n(bytes.data(), n, rest_.data() + held);
    bytes = bytes.subspan(n);
    if (held + n < block_bytes) return;
    take_blocks(lanes_, rest_.data(), 1);
  }
  take_blocks(lanes_, bytes.data(), bytes.size() / block_bytes);
  const std::size_t rest = bytes.size() % block_bytes;
  std::copy_n(bytes.data() + bytes.size() - rest, rest, rest_.data());
}

std::uint64_t Checksum::value() const noexcept {
  std::array<std::uint64_t, n_lanes> lanes = lanes_;
  std::array<std::byte, block_bytes> last{};
  std::copy_n(rest_.data(), n_bytes_ % block_bytes, last.data());
  take_blocks(lanes, last.data(), 1);
  std::uint64_t sum = n_bytes_;
  for (const std::uint64_t lane : lanes) sum = mix(sum, lane ^ lane >> 29);
  return sum ^ sum >> 32;
}

}  // namespace mla::platform
