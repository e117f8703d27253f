#include "platform/checksum.hpp"

#include <random>
#include <set>
#include <vector>

#include "catch.hpp"
#include "random_bytes.hpp"

using mla::platform::Checksum;
using mla::platform::checksum;

TEST_CASE("a checksum depends on the bytes, not on how they are cut") {
  const auto bytes = random_bytes(1000);
  std::mt19937 random(1);
  for (int trial = 0; trial < 200; ++trial) {
    Checksum sum;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t n = std::min<std::size_t>(bytes.size() - at, random() % 80);
      sum.update(bytes.data() + at, n);
      (void)sum.value();  // does not disturb it
      at += n;
    }
    REQUIRE(sum.value() == checksum(bytes));
  }
}

TEST_CASE("every flipped bit, every length and every exchange of words shows") {
  auto bytes = random_bytes(333);
  std::set<std::uint64_t> seen{checksum(bytes)};
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    REQUIRE(seen.insert(checksum(bytes)).second);
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  }
  for (std::size_t word = 0; word + 80 <= bytes.size(); word += 8) {
    auto exchanged = bytes;
    for (std::size_t i = 0; i < 8; ++i) std::swap(exchanged[word + i], exchanged[word + 32 + i]);  // of the same lane
    REQUIRE(seen.insert(checksum(exchanged)).second);
  }
  const std::vector<std::byte> zeros(300);
  for (std::size_t n = 0; n < zeros.size(); ++n) REQUIRE(seen.insert(checksum({zeros.data(), n})).second);
}
