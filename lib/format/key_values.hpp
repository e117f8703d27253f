// Metadata of a GGUF file that is being made: keys with values of the types that files have.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format/gguf.hpp"

namespace mla::format {

class KeyValues {
 public:
  void add_uint(const std::string& key, std::uint32_t value);
  void add_float(const std::string& key, float value);
  void add_bool(const std::string& key, bool value);
  void add_string(const std::string& key, std::string_view value);
  void add_strings(const std::string& key, std::vector<std::string> values);
  void add_ints(const std::string& key, std::span<const std::int32_t> values);

  const std::vector<std::pair<std::string, GgufValue>>& entries() const noexcept { return entries_; }

 private:
  std::vector<std::pair<std::string, GgufValue>> entries_;
};

}  // namespace mla::format
