#include "format/gguf_writer.hpp"

#include "platform/fail.hpp"

namespace mla::format {
namespace {

constexpr std::uint64_t alignment = 32;
constexpr std::uint32_t type_uint32 = 4, type_int32 = 5, type_float32 = 6, type_bool = 7, type_string = 8, type_array = 9;

template <typename T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace

GgufWriter::GgufWriter(const std::string& path) : path_(path), file_(path) {}

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
  tensors_.push_back({name, std::move(shape), type, bytes});
}

void GgufWriter::begin_data() {
  file_.write("GGUF", 4);
  const auto number = [&](auto value) { file_.write(&value, sizeof value); };
  number(std::uint32_t{3});
  number(std::uint64_t{tensors_.size()});
  number(n_keys_);
  file_.write(keys_.data(), keys_.size());
  std::uint64_t offset = 0;
  for (const Tensor& tensor : tensors_) {
    number(std::uint64_t{tensor.name.size()});
    file_.write(tensor.name.data(), tensor.name.size());
    number(static_cast<std::uint32_t>(tensor.shape.size()));
    for (const std::uint64_t size : tensor.shape) number(size);
    number(static_cast<std::uint32_t>(tensor.type));
    number(offset);
    offset += (tensor.bytes + alignment - 1) / alignment * alignment;
  }
  pad();
}

void GgufWriter::write(std::span<const std::byte> bytes) {
  if (current_ == tensors_.size() || bytes.size() > tensors_[current_].bytes - current_bytes_)
    fail(Status::internal, "{}: more bytes than the announced tensors have", path_);
  file_.write(bytes);
  current_bytes_ += bytes.size();
  if (current_bytes_ < tensors_[current_].bytes) return;
  pad();
  ++current_;
  current_bytes_ = 0;
}

void GgufWriter::finish() {
  if (current_ != tensors_.size()) fail(Status::internal, "{}: tensor {} was not written", path_, tensors_[current_].name);
  file_.commit();
}

void GgufWriter::pad() {
  constexpr char zeros[alignment] = {};
  file_.write(zeros, (alignment - file_.position() % alignment) % alignment);
}

}  // namespace mla::format
