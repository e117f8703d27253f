// The demo model written again: with its matrices in another type, in several parts, or with changed values.
#pragma once
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "catch.hpp"
#include "format/gguf.hpp"
#include "format/gguf_writer.hpp"
#include "quant/dequantize.hpp"
#include "quant/quantize.hpp"

struct DemoVariant {
  mla::quant::Type type = mla::quant::Type::f16;  ///< of what is F16 in the file, all matrices but the router's, where rows fit its blocks
  int n_parts = 1;
  std::map<std::string, std::uint32_t> keys = {};  ///< metadata to have another number
  std::function<void(const mla::format::TensorInfo& tensor, std::vector<float>& values)> change = {};
  /// Writes n values as blocks of `type`; without it, the library's own.
  std::function<void(const float* values, std::byte* blocks, std::int64_t n)> encode = {};
};

inline bool is_matrix(const mla::format::TensorInfo& tensor, mla::quant::Type type) {
  return tensor.type == static_cast<std::uint32_t>(mla::quant::Type::f16) &&
         tensor.shape[0] % static_cast<std::uint64_t>(mla::quant::traits(type).block_size) == 0;
}

inline void copy_metadata(const mla::format::GgufFile& from, const std::map<std::string, std::uint32_t>& changed,
                          mla::format::GgufWriter& to) {
  for (const auto& [key, value] : from.metadata()) {
    if (const auto other = changed.find(key); other != changed.end()) {
      to.add_uint(key, other->second);
    } else if (const auto* text = std::get_if<std::string>(&value.value)) {
      to.add_string(key, *text);
    } else if (const auto* flag = std::get_if<bool>(&value.value)) {
      to.add_bool(key, *flag);
    } else if (const auto* real = std::get_if<double>(&value.value)) {
      to.add_float(key, static_cast<float>(*real));
    } else if (const auto* number = std::get_if<std::uint64_t>(&value.value)) {
      to.add_uint(key, static_cast<std::uint32_t>(*number));
    } else if (std::holds_alternative<std::vector<std::string>>(std::get<mla::format::GgufArray>(value.value))) {
      to.add_strings(key, *from.get_strings(key));
    } else {
      const auto numbers = from.get_integers(key);
      REQUIRE(numbers);
      to.add_ints(key, std::vector<std::int32_t>(numbers->begin(), numbers->end()));
    }
  }
}

/// `path` is the file, or "NAME-00001-of-0000N.gguf". Returns the root mean square of the rounding of the changed matrices,
/// as a share of that of their values.
inline double write_demo_variant(const std::string& path, const DemoVariant& variant) {
  using namespace mla;
  const auto demo = format::GgufFile::open(MLA_SOURCE_DIR "/examples/models/demo-f16.gguf", {});
  const auto n_tensors = demo.tensors().size(), n_parts = static_cast<std::size_t>(variant.n_parts);
  double squares = 0, errors = 0;
  for (std::size_t part = 0; part < n_parts; ++part) {
    std::string name = path;
    if (n_parts > 1) name.replace(name.rfind("-of-") - 5, 5, "0000" + std::to_string(part + 1));
    format::GgufWriter writer(name);
    if (part == 0) copy_metadata(demo, variant.keys, writer);
    if (n_parts > 1) {
      writer.add_uint("split.count", static_cast<std::uint32_t>(n_parts));
      writer.add_uint("split.no", static_cast<std::uint32_t>(part));
      writer.add_uint("split.tensors.count", static_cast<std::uint32_t>(n_tensors));
    }
    const auto type_of = [&](const format::TensorInfo& tensor) {
      return is_matrix(tensor, variant.type) ? variant.type : static_cast<quant::Type>(tensor.type);
    };
    const std::size_t begin = n_tensors * part / n_parts, end = n_tensors * (part + 1) / n_parts;
    for (std::size_t t = begin; t < end; ++t)
      writer.add_tensor(demo.tensors()[t].name, demo.tensors()[t].shape, type_of(demo.tensors()[t]));
    writer.begin_data();
    for (std::size_t t = begin; t < end; ++t) {
      const format::TensorInfo& tensor = demo.tensors()[t];
      const auto stored = static_cast<quant::Type>(tensor.type), type = type_of(tensor);
      std::size_t n = 1;
      for (const std::uint64_t size : tensor.shape) n *= size;
      std::vector<float> values(n), rounded(n);
      quant::dequantize(stored, tensor.data, values.data(), static_cast<std::int64_t>(n));
      if (variant.change) variant.change(tensor, values);
      std::vector<std::byte> blocks(quant::row_bytes(type, static_cast<std::int64_t>(n)));
      const bool encode = variant.encode && is_matrix(tensor, variant.type);
      encode ? variant.encode(values.data(), blocks.data(), static_cast<std::int64_t>(n))
             : quant::quantize(type, values.data(), blocks.data(), static_cast<std::int64_t>(n));
      writer.write(blocks);
      if (!is_matrix(tensor, variant.type)) continue;
      quant::dequantize(type, blocks.data(), rounded.data(), static_cast<std::int64_t>(n));
      for (std::size_t i = 0; i < n; ++i) {
        squares += static_cast<double>(values[i]) * values[i];
        errors += std::pow(static_cast<double>(rounded[i]) - values[i], 2);
      }
    }
    writer.finish();
  }
  return std::sqrt(errors / squares);
}
