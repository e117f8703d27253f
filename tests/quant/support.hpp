// Shared by the tests of the block formats: golden files, the ISAs of this machine, comparison of bits.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "platform/cpu.hpp"
#include "quant/types.hpp"

namespace mla::quant::test {

inline std::vector<platform::Isa> machine_isas() {
  std::vector<platform::Isa> isas;
  for (const auto isa : {platform::Isa::scalar, platform::Isa::avx2, platform::Isa::avx512})
    if (isa <= platform::detected_isa()) isas.push_back(isa);
  return isas;
}

/// A golden file: a count, then two arrays (see tests/golden/quant/README.md).
class Golden {
 public:
  explicit Golden(const std::string& name) {
    std::ifstream file(MLA_SOURCE_DIR "/tests/golden/quant/" + name, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    if (bytes_.size() >= sizeof(std::int32_t)) std::memcpy(&count_, bytes_.data(), sizeof count_);
  }
  std::int64_t count() const { return count_; }
  /// n elements from a byte offset behind the count; throws std::out_of_range if the file is shorter.
  template <typename T>
  std::vector<T> at(std::size_t offset, std::size_t n) const {
    std::vector<T> out(n);
    if (sizeof count_ + offset + n * sizeof(T) > bytes_.size()) throw std::out_of_range("golden file is missing or short");
    std::memcpy(out.data(), bytes_.data() + sizeof count_ + offset, n * sizeof(T));
    return out;
  }
  std::size_t size() const { return bytes_.size() - sizeof count_; }

 private:
  std::vector<char> bytes_;
  std::int32_t count_ = 0;
};

/// Empty if all bits agree, else the first element that differs and how many do.
inline std::string difference(const std::vector<float>& got, const std::vector<float>& want) {
  std::size_t n_different = 0, first = 0;
  for (std::size_t i = got.size(); i-- > 0;)
    if (std::bit_cast<std::uint32_t>(got[i]) != std::bit_cast<std::uint32_t>(want[i])) ++n_different, first = i;
  if (n_different == 0) return {};
  std::ostringstream text;
  text << n_different << " of " << got.size() << " differ, the first at " << first << ": " << std::hexfloat << got[first]
       << " instead of " << want[first];
  return text.str();
}

}  // namespace mla::quant::test
