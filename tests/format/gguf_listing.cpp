#include "gguf_listing.hpp"

#include <fmt/ranges.h>

#include <bit>
#include <nlohmann/json.hpp>

#include "quant/types.hpp"

using namespace mla::format;

namespace {

std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(double value) { return fmt::format("{:016x}", std::bit_cast<std::uint64_t>(value)); }
std::string text_of(std::int64_t value) { return std::to_string(value); }
std::string text_of(std::uint64_t value) { return std::to_string(value); }
std::string text_of(const std::string& value) {
  return nlohmann::json(value).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}
std::string text_of(const GgufArray& array) {
  return std::visit(
      [](const auto& values) {
        std::vector<std::string> texts;
        using Value = typename std::decay_t<decltype(values)>::value_type;
        for (std::size_t i = 0; i < values.size(); ++i) texts.push_back(text_of(static_cast<Value>(values[i])));
        return fmt::format("[{}]", fmt::join(texts, ", "));
      },
      array);
}

std::uint64_t fnv1a(const std::byte* data, std::uint64_t n) {
  std::uint64_t state = 0xcbf29ce484222325;
  for (std::uint64_t i = 0; i < n; ++i) state = (state ^ static_cast<std::uint64_t>(data[i])) * 0x100000001b3;
  return state;
}

}  // namespace

std::string listing(const GgufFile& file) {
  std::string text;
  for (const auto& [key, value] : file.metadata()) {
    const bool array = std::holds_alternative<GgufArray>(value.value);
    text += fmt::format("{} {}{} {}\n", key, array ? "array " : "", gguf_type_name(array ? value.element_type : value.type),
                        std::visit([](const auto& v) { return text_of(v); }, value.value));
  }
  for (const TensorInfo& tensor : file.tensors())
    text += fmt::format("{} {} {} {:016x}\n", tensor.name, mla::quant::find_traits(tensor.type)->name, fmt::join(tensor.shape, "x"),
                        fnv1a(tensor.data, tensor.bytes));
  return text;
}
