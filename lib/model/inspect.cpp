#include <mla/inspect.hpp>

#include <fmt/ranges.h>

#include <algorithm>
#include <type_traits>

#include <mla/error.hpp>

#include "format/gguf.hpp"
#include "format/native_layout.hpp"
#include "model/config.hpp"
#include "quant/types.hpp"

namespace mla {
namespace {

constexpr std::size_t shown_entries = 6;

std::string text_of(const format::GgufArray& array) {
  return std::visit(
      [](const auto& values) {
        std::string text = "[";
        for (std::size_t i = 0; i < std::min(values.size(), shown_entries); ++i) {
          if (i > 0) text += ", ";
          text += fmt::format("{}", static_cast<typename std::decay_t<decltype(values)>::value_type>(values[i]));
        }
        return text + (values.size() > shown_entries ? fmt::format(", … {} in all]", values.size()) : "]");
      },
      array);
}

FileInfo::Key describe(const std::string& name, const format::GgufValue& value) {
  const auto* array = std::get_if<format::GgufArray>(&value.value);
  if (array != nullptr) return {name, fmt::format("array of {}", format::gguf_type_name(value.element_type)), text_of(*array)};
  std::string text;
  constexpr std::uint32_t float32 = 6;
  if (value.type == float32) return {name, format::gguf_type_name(value.type), fmt::format("{}", static_cast<float>(std::get<double>(value.value)))};
  std::visit([&](const auto& scalar) {
    if constexpr (!std::is_same_v<std::decay_t<decltype(scalar)>, format::GgufArray>) text = fmt::format("{}", scalar);
  }, value.value);
  return {name, format::gguf_type_name(value.type), text};
}

}  // namespace

FileInfo inspect_file(const std::string& path) {
  const auto file = format::GgufFile::open(path, {.allow_unknown_types = true});
  FileInfo info;
  info.path = file.path();
  info.version = static_cast<int>(file.version());
  info.n_parts = file.n_parts();
  info.file_bytes = file.file_bytes();
  for (const auto& [name, value] : file.metadata()) info.keys.push_back(describe(name, value));
  for (const format::TensorInfo& tensor : file.tensors()) {
    const std::string type = quant::type_name(tensor.type);
    std::uint64_t values = 1;
    for (const std::uint64_t size : tensor.shape) values *= size;
    info.tensors.push_back({tensor.name, type.empty() ? fmt::format("type {}", tensor.type) : type, tensor.shape, tensor.bytes,
                            tensor.in_panels ? format::layout_name : "rows"});
    info.tensor_bytes += tensor.bytes;
    info.n_parameters += values;
    if (tensor.data == nullptr && info.problem.empty())
      info.problem = fmt::format("tensor {}: this version doesn't read {}", tensor.name, info.tensors.back().type);
  }
  try {
    info.cache_shape = model::read_config(file, {}, nullptr).shape;
  } catch (const Error& error) {
    info.problem = error.what();
  }
  return info;
}

}  // namespace mla
