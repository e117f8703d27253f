#include "format/gguf_writer.hpp"

#include <type_traits>

#include "format/native_layout.hpp"
#include "platform/fail.hpp"

namespace mla::format {
namespace {

constexpr std::uint64_t alignment = 32;
constexpr std::uint32_t type_uint16 = 2, type_uint32 = 4, type_int32 = 5, type_float32 = 6, type_bool = 7, type_string = 8, type_array = 9;

template <typename T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <typename T>
std::string encoded_key(std::string_view key, std::uint32_t type, const T& value) {
  return bytes_of(std::uint64_t{key.size()}) + std::string(key) + bytes_of(type) + bytes_of(value);
}

constexpr std::uint64_t padded(std::uint64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

}  // namespace

GgufWriter::GgufWriter(const std::string& path, std::uint64_t max_part_bytes) : path_(path), max_part_bytes_(max_part_bytes) {}

template <typename T>
void GgufWriter::put(const T& value) {
  keys_ += bytes_of(value);
}

void GgufWriter::put_text(std::string_view text) {
  put(std::uint64_t{text.size()});
  keys_ += text;
}

void GgufWriter::begin_key(const std::string& key, std::uint32_t type) {
  put_text(key);
  put(type);
  ++n_keys_;
}

void GgufWriter::add_uint(const std::string& key, std::uint32_t value) {
  begin_key(key, type_uint32);
  put(value);
}

void GgufWriter::add_float(const std::string& key, float value) {
  begin_key(key, type_float32);
  put(value);
}

void GgufWriter::add_bool(const std::string& key, bool value) {
  begin_key(key, type_bool);
  put(static_cast<std::uint8_t>(value));
}

void GgufWriter::add_string(const std::string& key, std::string_view value) {
  begin_key(key, type_string);
  put_text(value);
}

void GgufWriter::add_strings(const std::string& key, std::span<const std::string> values) {
  begin_key(key, type_array);
  put(type_string);
  put(std::uint64_t{values.size()});
  for (const std::string& value : values) put_text(value);
}

// Readers widen numbers: this narrows them again.
void GgufWriter::put_scalar(std::uint32_t type, const GgufScalar& value) {
  const auto narrow = [&](auto number) {
    switch (type) {
      case 0: return put(static_cast<std::uint8_t>(number));
      case 1: return put(static_cast<std::int8_t>(number));
      case type_uint16: return put(static_cast<std::uint16_t>(number));
      case 3: return put(static_cast<std::int16_t>(number));
      case type_uint32: return put(static_cast<std::uint32_t>(number));
      case type_int32: return put(static_cast<std::int32_t>(number));
      case type_float32: return put(static_cast<float>(number));
      case type_bool: return put(static_cast<std::uint8_t>(number));
      default: return put(number);  // 64 bits wide, as readers have them
    }
  };
  if (const auto* text = std::get_if<std::string>(&value)) put_text(*text);
  else if (const auto* flag = std::get_if<bool>(&value)) narrow(std::uint64_t{*flag});
  else if (const auto* real = std::get_if<double>(&value)) narrow(*real);
  else if (const auto* whole = std::get_if<std::int64_t>(&value)) narrow(*whole);
  else narrow(std::get<std::uint64_t>(value));
}

void GgufWriter::add_value(const std::string& key, const GgufValue& value) {
  begin_key(key, value.type);
  const auto* const array = std::get_if<GgufArray>(&value.value);
  if (array == nullptr) return put_scalar(value.type, value.value);
  put(value.element_type);
  std::visit(
      [&](const auto& values) {
        put(std::uint64_t{values.size()});
        using Entry = typename std::decay_t<decltype(values)>::value_type;
        for (const auto& entry : values) put_scalar(value.element_type, GgufScalar(static_cast<Entry>(entry)));
      },
      *array);
}

void GgufWriter::add_ints(const std::string& key, std::span<const std::int32_t> values) {
  begin_key(key, type_array);
  put(type_int32);
  put(std::uint64_t{values.size()});
  for (const std::int32_t value : values) put(value);
}

void GgufWriter::add_tensor(const std::string& name, std::vector<std::uint64_t> shape, quant::Type type) {
  std::uint64_t rows = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) rows *= shape[i];
  const std::uint64_t bytes = rows * quant::row_bytes(type, static_cast<std::int64_t>(shape[0]));
  add_tensor(name, std::move(shape), static_cast<std::uint32_t>(type), bytes);
}

void GgufWriter::add_tensor(const std::string& name, std::vector<std::uint64_t> shape, std::uint32_t number, std::uint64_t bytes) {
  tensors_.push_back({name, std::move(shape), number, bytes});
}

void GgufWriter::add_native_layout() {
  add_string(layout_key, layout_name);
  add_uint(layout_version_key, layout_version);
  native_ = true;
}

void GgufWriter::plan_parts() {
  constexpr std::uint64_t fixed_bytes = 4 + 4 + 8 + 8, split_keys_bytes = 128;  // generous: a few bytes of a part stay unused
  std::uint64_t bytes = fixed_bytes + split_keys_bytes + keys_.size();
  std::size_t first = 0;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const Tensor& tensor = tensors_[i];
    const std::uint64_t entry = 8 + tensor.name.size() + 4 + 8 * tensor.shape.size() + 4 + 8 + padded(tensor.bytes);
    if (max_part_bytes_ != 0 && i > first && bytes + entry + alignment > max_part_bytes_) {
      part_ends_.push_back(i);
      first = i;
      bytes = fixed_bytes + 2 * split_keys_bytes;
    }
    bytes += entry;
  }
  part_ends_.push_back(tensors_.size());
  constexpr std::size_t most_parts = 65535;
  if (part_ends_.size() > most_parts)
    fail(Status::invalid_argument, "{}: parts of {} bytes would be {}, more than the format can count: allow larger ones", path_, max_part_bytes_, part_ends_.size());
  if (part_ends_.size() == 1) return paths_.push_back(path_);
  const std::string_view ending = ".gguf", stem = std::string_view(path_).substr(0, path_.size() - (path_.ends_with(ending) ? ending.size() : 0));
  for (std::size_t part = 0; part < part_ends_.size(); ++part) paths_.push_back(gguf_part_path(stem, part + 1, part_ends_.size()));
}

// The number of a part's metadata keys, and the keys. The model's own are in the first part alone.
std::string GgufWriter::part_keys(std::size_t part) {
  if (part_ends_.size() == 1) return bytes_of(n_keys_) + keys_;
  const std::string split = encoded_key("split.no", type_uint16, static_cast<std::uint16_t>(part)) +
                            encoded_key("split.count", type_uint16, static_cast<std::uint16_t>(part_ends_.size())) +
                            encoded_key("split.tensors.count", type_int32, static_cast<std::int32_t>(tensors_.size()));
  if (part > 0) {
    keys_.clear();
    n_keys_ = 0;
    if (native_) add_native_layout();
  }
  return bytes_of(n_keys_ + 3) + keys_ + split;
}

void GgufWriter::begin_data() {
  plan_parts();
  begin_part();
}

void GgufWriter::begin_part() {
  const std::size_t part = files_.size(), end = part_ends_[part];
  platform::FileWriter& file = *files_.emplace_back(std::make_unique<platform::FileWriter>(paths_[part]));
  const auto number = [&](auto value) { file.write(&value, sizeof value); };
  file.write("GGUF", 4);
  number(std::uint32_t{3});
  number(std::uint64_t{end - current_});
  const std::string keys = part_keys(part);
  file.write(keys.data(), keys.size());
  std::uint64_t offset = 0;
  for (std::size_t i = current_; i < end; ++i) {
    const Tensor& tensor = tensors_[i];
    number(std::uint64_t{tensor.name.size()});
    file.write(tensor.name.data(), tensor.name.size());
    number(static_cast<std::uint32_t>(tensor.shape.size()));
    for (const std::uint64_t size : tensor.shape) number(size);
    number(tensor.type);
    number(offset);
    offset += padded(tensor.bytes);
  }
  pad();
}

void GgufWriter::write(std::span<const std::byte> bytes) {
  if (current_ == tensors_.size() || bytes.size() > tensors_[current_].bytes - current_bytes_)
    fail(Status::internal, "{}: more bytes than the announced tensors have", path_);
  files_.back()->write(bytes);
  current_bytes_ += bytes.size();
  if (current_bytes_ < tensors_[current_].bytes) return;
  pad();
  ++current_;
  current_bytes_ = 0;
  if (current_ < part_ends_[files_.size() - 1] || current_ == tensors_.size()) return;
  files_.back()->seal();
  begin_part();
}

void GgufWriter::finish() {
  if (current_ != tensors_.size()) fail(Status::internal, "{}: tensor {} was not written", path_, tensors_[current_].name);
  files_.back()->seal();
  for (std::size_t part = files_.size(); part-- > 0;) files_[part]->commit();
}

void GgufWriter::pad() {
  constexpr char zeros[alignment] = {};
  files_.back()->write(zeros, (alignment - files_.back()->position() % alignment) % alignment);
}

}  // namespace mla::format
