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

GgufWriter::GgufWriter(const std::string& path, std::uint64_t max_part_bytes, platform::Unfinished unfinished)
    : path_(path), max_part_bytes_(max_part_bytes), unfinished_(unfinished) {
  if (max_part_bytes == 0) first_ = std::make_unique<Part>(path, unfinished);
}

GgufWriter::Part::Part(const std::string& path, platform::Unfinished unfinished) : file(path, unfinished) {
  if (unfinished == platform::Unfinished::kept && !file.part_path().empty()) journal.emplace(file.part_path());
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
    fail(Status::invalid_argument, "{}: parts of {} bytes would be {}, more than the format can count: allow larger ones", path_,
         max_part_bytes_, part_ends_.size());
  if (part_ends_.size() == 1) return paths_.push_back(path_);
  const std::string_view ending = ".gguf",
                         stem = std::string_view(path_).substr(0, path_.size() - (path_.ends_with(ending) ? ending.size() : 0));
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

std::string GgufWriter::part_header(std::size_t part) {
  const std::size_t end = part_ends_[part];
  std::string bytes = "GGUF";
  const auto number = [&](auto value) { bytes += bytes_of(value); };
  number(std::uint32_t{3});
  number(std::uint64_t{end - current_});
  bytes += part_keys(part);
  std::uint64_t offset = 0;
  for (std::size_t i = current_; i < end; ++i) {
    const Tensor& tensor = tensors_[i];
    number(std::uint64_t{tensor.name.size()});
    bytes += tensor.name;
    number(static_cast<std::uint32_t>(tensor.shape.size()));
    for (const std::uint64_t size : tensor.shape) number(size);
    number(tensor.type);
    number(offset);
    offset += padded(tensor.bytes);
  }
  return bytes;
}

std::size_t GgufWriter::begin_data(std::uint64_t source, const std::function<void()>& keep_going) {
  source_ = source;
  plan_parts();
  begin_part(true, keep_going);
  while (end_part()) begin_part(true, keep_going);
  return current_;
}

void GgufWriter::begin_part(bool resume, const std::function<void()>& keep_going) {
  const std::string header = part_header(parts_.size());
  Part& part = *parts_.emplace_back(first_ ? std::move(first_) : std::make_unique<Part>(paths_[parts_.size()], unfinished_));
  if (part.journal) {
    platform::Checksum id;
    id.update(&source_, sizeof source_);
    id.update(header.data(), header.size());
    if (!resume) part.journal->remove();
    const platform::PartJournal::Whole whole = part.journal->open(id.value(), keep_going);
    part.file.resume_at(whole.bytes);
    if (whole.sections > 0) {
      current_ += whole.sections - 1;
      return;
    }
  }
  put_bytes(std::as_bytes(std::span(header)));
  pad();
  end_section();
}

// Whether the part in work is whole, and isn't the last.
bool GgufWriter::end_part() {
  if (current_ < part_ends_[parts_.size() - 1] || current_ == tensors_.size()) return false;
  parts_.back()->file.seal();
  return true;
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
  if (end_part()) begin_part(false, [] {});
}

void GgufWriter::finish() {
  if (current_ != tensors_.size()) fail(Status::internal, "{}: tensor {} was not written", path_, tensors_[current_].name);
  parts_.back()->file.seal();
  for (std::size_t i = parts_.size(); i-- > 0;) {
    parts_[i]->file.commit();
    if (parts_[i]->journal) parts_[i]->journal->remove();
  }
}

void GgufWriter::pad() {
  constexpr std::byte zeros[alignment] = {};
  put_bytes({zeros, static_cast<std::size_t>((alignment - parts_.back()->file.position() % alignment) % alignment)});
}

void GgufWriter::put_bytes(std::span<const std::byte> bytes) {
  Part& part = *parts_.back();
  part.file.write(bytes);
  if (part.journal) part.section.update(bytes);
}

void GgufWriter::end_section() {
  Part& part = *parts_.back();
  if (!part.journal) return;
  part.file.flush();
  part.journal->add(part.file.position(), part.section.value());
  part.section = {};
}

}  // namespace mla::format
