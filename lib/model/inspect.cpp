#include "model/inspect.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
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

// Of tensors whose names end so; the first that fits.
constexpr std::pair<std::string_view, const char*> kinds[] = {
    {"norm.weight", "norms"},   {"token_embd.weight", "embedding"}, {"output.weight", "output"}, {"_exps.weight", "routed experts"},
    {"_shexp.weight", "shared experts"}, {"ffn_gate_inp.weight", "router"}, {"exp_probs_b.bias", "router"}, {"exp_probs_b", "router"},
};

std::string kind_of(const std::string& name, int n_layers) {
  std::string_view part = name;
  int layer = -1;
  if (part.starts_with("blk.")) {
    std::from_chars(part.data() + 4, part.data() + part.size(), layer);
    part.remove_prefix(std::min(part.size(), part.find('.', 4) + 1));
  }
  if (part.starts_with("nextn.") || (layer >= 0 && layer >= n_layers)) return "nextn";
  if (part == "attn_output.weight") return "attention";
  for (const auto& [end, kind] : kinds)
    if (part.ends_with(end)) return kind;
  return part.starts_with("attn_") ? "attention" : part.starts_with("ffn_") ? "dense ffn" : "other";
}

}  // namespace

namespace model {

HfFolder open_to_look(const std::string& path, const format::GgufFile::Options& options) {
  if (platform::is_directory(path)) return open_hf_folder(path, {});
  return {.file = format::GgufFile::open(path, options)};
}

FileInfo::Key describe(const std::string& name, const format::GgufValue& value) {
  const auto* array = std::get_if<format::GgufArray>(&value.value);
  if (array != nullptr) return {name, fmt::format("array of {}", format::gguf_type_name(value.element_type)), text_of(*array)};
  std::string text;
  constexpr std::uint32_t float32 = 6;
  if (value.type == float32)
    return {name, format::gguf_type_name(value.type), fmt::format("{}", static_cast<float>(std::get<double>(value.value)))};
  std::visit([&](const auto& scalar) {
    if constexpr (!std::is_same_v<std::decay_t<decltype(scalar)>, format::GgufArray>) text = fmt::format("{}", scalar);
  }, value.value);
  return {name, format::gguf_type_name(value.type), text};
}

FileInfo::Tensor describe(const format::TensorInfo& tensor, int n_layers) {
  // Only of what a folder holds: in a file the numbers of our own mean nothing.
  const std::string type =
      tensor.pieces.empty() ? quant::type_name(tensor.type) : quant::traits(static_cast<quant::Type>(tensor.type)).name;
  return {tensor.name, type.empty() ? fmt::format("type {}", tensor.type) : type, tensor.shape, tensor.bytes,
          tensor.in_panels ? format::layout_name : "rows", kind_of(tensor.name, n_layers)};
}

int own_layers(const format::GgufFile& file) {
  const format::GgufValue *blocks = file.find_key("deepseek2.block_count"), *nextn = file.find_key("deepseek2.nextn_predict_layers");
  const auto number = [](const format::GgufValue* value) {
    const auto* found = value == nullptr ? nullptr : std::get_if<std::uint64_t>(&value->value);
    return found == nullptr ? std::uint64_t{0} : std::min<std::uint64_t>(*found, 1 << 20);
  };
  return blocks == nullptr ? 1 << 20 : static_cast<int>(number(blocks)) - static_cast<int>(number(nextn));
}

}  // namespace model

FileInfo inspect_file(const std::string& path) {
  const model::HfFolder opened = model::open_to_look(path);
  const format::GgufFile& file = opened.file;
  FileInfo info;
  info.path = file.path();
  const bool is_folder = platform::is_directory(path);
  info.version = is_folder ? 0 : static_cast<int>(file.version());
  info.n_parts = file.n_parts() - (is_folder ? 1 : 0);  // the first stands for the folder itself
  info.file_bytes = file.file_bytes();
  for (const auto& [name, value] : file.metadata()) info.keys.push_back(model::describe(name, value));
  const int n_layers = model::own_layers(file);
  for (const format::TensorInfo& tensor : file.tensors()) {
    std::uint64_t values = 1;
    for (const std::uint64_t size : tensor.shape) values *= size;
    info.tensors.push_back(model::describe(tensor, n_layers));
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
