// A fast 64-bit checksum against damage by accident; no protection against someone who wants two inputs to agree.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mla::platform {

/// Depends on the bytes alone, not on how they are cut into calls. A change within one aligned 8-byte word always shows.
class Checksum {
 public:
  void update(std::span<const std::byte> bytes) noexcept;
  void update(const void* data, std::size_t n) noexcept { update({static_cast<const std::byte*>(data), n}); }
  std::uint64_t value() const noexcept;  ///< of all bytes until now

 private:
  static constexpr std::size_t n_lanes = 4, block_bytes = n_lanes * sizeof(std::uint64_t);
  std::array<std::uint64_t, n_lanes> lanes_{0x243f6a8885a308d3u, 0x13198a2e03707344u, 0xa4093822299f31d0u, 0x082efa98ec4e6c89u};
  std::array<std::byte, block_bytes> rest_;  // the last n_bytes_ % block_bytes bytes
  std::uint64_t n_bytes_ = 0;
};

inline std::uint64_t checksum(std::span<const std::byte> bytes) noexcept {
  Checksum sum;
  sum.update(bytes);
  return sum.value();
}

}  // namespace mla::platform
