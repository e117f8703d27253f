#include "format/gguf_writer.hpp"

#include <type_traits>

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

GgufWriter::GgufWriter(const std::string& path, platform::Unfinished unfinished) : path_(path), file_(path, unfinished) {
  if (unfinished == platform::Unfinished::kept && !file_.part_path().empty()) journal_.emplace(file_.part_path());
}

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
      case 2: return put(static_cast<std::uint16_t>(number));
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

std::string GgufWriter::header() const {
  std::string bytes = "GGUF";
  const auto number = [&](auto value) { bytes += bytes_of(value); };
  number(std::uint32_t{3});
  number(std::uint64_t{tensors_.size()});
  number(n_keys_);
  bytes += keys_;
  std::uint64_t offset = 0;
  for (const Tensor& tensor : tensors_) {
    number(std::uint64_t{tensor.name.size()});
    bytes += tensor.name;
    number(static_cast<std::uint32_t>(tensor.shape.size()));
    for (const std::uint64_t size : tensor.shape) number(size);
    number(tensor.type);
    number(offset);
    offset += (tensor.bytes + alignment - 1) / alignment * alignment;
  }
  return bytes;
}

std::size_t GgufWriter::begin_data(std::uint64_t source, const std::function<void()>& keep_going) {
  const std::string bytes = header();
  if (journal_) {
    platform::Checksum id;
    id.update(&source, sizeof source);
    id.update(bytes.data(), bytes.size());
    const platform::PartJournal::Whole whole = journal_->open(id.value(), keep_going);
    file_.resume_at(whole.bytes);
    if (whole.sections > 0) return current_ = whole.sections - 1;
  }
  put_bytes(std::as_bytes(std::span(bytes)));
  pad();
  end_section();
  return 0;
}

void GgufWriter::write(std::span<const std::byte> bytes) {
  if (current_ == tensors_.size() || bytes.size() > tensors_[current_].bytes - current_bytes_)
    fail(Status::internal, "{}: more bytes than the announced tensors have", path_);
  put_bytes(bytes);
  current_bytes_ += bytes.size();
  if (current_bytes_ < tensors_[current_].bytes) return;
  pad();
  end_section();
  ++current_;
  current_bytes_ = 0;
}

void GgufWriter::finish() {
  if (current_ != tensors_.size()) fail(Status::internal, "{}: tensor {} was not written", path_, tensors_[current_].name);
  file_.commit();
  if (journal_) journal_->remove();
}

void GgufWriter::pad() {
  constexpr std::byte zeros[alignment] = {};
  put_bytes({zeros, static_cast<std::size_t>((alignment - file_.position() % alignment) % alignment)});
}

void GgufWriter::put_bytes(std::span<const std::byte> bytes) {
  file_.write(bytes);
  if (journal_) section_.update(bytes);
}

void GgufWriter::end_section() {
  if (!journal_) return;
  file_.flush();
  journal_->add(file_.position(), section_.value());
  section_ = {};
}

}  // namespace mla::format
