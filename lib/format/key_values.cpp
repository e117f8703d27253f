#include "format/key_values.hpp"

namespace mla::format {
namespace {

constexpr std::uint32_t type_uint32 = 4, type_int32 = 5, type_float32 = 6, type_bool = 7, type_string = 8, type_array = 9;

}  // namespace

void KeyValues::add_uint(const std::string& key, std::uint32_t value) { entries_.push_back({key, {type_uint32, 0, std::uint64_t{value}}}); }
void KeyValues::add_float(const std::string& key, float value) { entries_.push_back({key, {type_float32, 0, double{value}}}); }
void KeyValues::add_bool(const std::string& key, bool value) { entries_.push_back({key, {type_bool, 0, value}}); }
void KeyValues::add_string(const std::string& key, std::string_view value) {
  entries_.push_back({key, {type_string, 0, std::string(value)}});
}

void KeyValues::add_strings(const std::string& key, std::vector<std::string> values) {
  entries_.push_back({key, {type_array, type_string, GgufArray(std::move(values))}});
}

void KeyValues::add_ints(const std::string& key, std::span<const std::int32_t> values) {
  entries_.push_back({key, {type_array, type_int32, GgufArray(std::vector<std::int64_t>(values.begin(), values.end()))}});
}

}  // namespace mla::format
