#include "format/gguf_reader.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "format/native_layout.hpp"
#include "platform/checked.hpp"
#include "platform/fail.hpp"
#include "quant/interleaving.hpp"

namespace mla::format {
namespace {

enum ValueType : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64, n_value_types };

constexpr std::uint64_t smallest_bytes[n_value_types] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};
constexpr int max_dimensions = 4;
// No model comes near these; a damaged length in a file of many gigabytes could otherwise take several times its size.
constexpr std::uint64_t most_array_values = 1u << 24, most_string_bytes = 1u << 26;

class PartParser {
 public:
  PartParser(const platform::FileView& file, int part, bool allow_unknown)
      : file_(file), path_(file.path()), reader_(file.bytes(), path_), part_(part), allow_unknown_(allow_unknown) {}

  GgufPart parse() {
    GgufPart out;
    out.version = read_version();
    const auto n_tensors = reader_.read<std::uint64_t>("the number of tensors");
    const auto n_keys = reader_.read<std::uint64_t>("the number of metadata keys");
    // The least that an entry takes: a count that can't fit is caught before it sizes anything.
    check_count("tensors", n_tensors, 8 + 4 + 8 + 4 + 8);
    check_count("metadata keys", n_keys, 8 + 4 + 1);
    for (std::uint64_t i = 0; i < n_keys; ++i) {
      std::string key = reader_.read_string("a metadata key");
      reader_.name_in_errors("metadata key", key);
      GgufValue value = read_value(key);
      reader_.name_in_errors({}, {});
      out.metadata.emplace_back(std::move(key), std::move(value));
    }
    const bool knows_panels = knows_layout(out);
    for (std::uint64_t i = 0; i < n_tensors; ++i) {
      TensorInfo& tensor = out.tensors.emplace_back(read_tensor());
      if (const auto type = type_in_panels(tensor.type)) note_panels(tensor, *type, knows_panels);
    }
    place_tensors(out);
    return out;
  }

 private:
  std::uint32_t read_version() {
    const auto magic = reader_.read<std::uint32_t>("the magic number");
    if (magic != 0x46554747) fail(Status::bad_file, "{}: not a GGUF file: it doesn't begin with 'GGUF'", path_);
    const auto version = reader_.read<std::uint32_t>("the version");
    if (version == 2 || version == 3) return version;
    const std::uint32_t swapped = __builtin_bswap32(version);
    if (swapped == 2 || swapped == 3) fail(Status::unsupported, "{}: a big-endian GGUF file; libmla reads little-endian ones", path_);
    fail(Status::unsupported, "{}: GGUF version {}; libmla reads versions 2 and 3", path_, version);
  }

  // Whether the part has tensors in panels that this version reads.
  bool knows_layout(const GgufPart& part) const {
    const GgufValue *layout = nullptr, *version = nullptr;
    for (const auto& [key, value] : part.metadata) {
      if (key == layout_key) layout = &value;
      if (key == layout_version_key) version = &value;
    }
    if (layout == nullptr && version == nullptr) return false;
    const auto* const name = layout != nullptr ? std::get_if<std::string>(&layout->value) : nullptr;
    const auto* const number = version != nullptr ? std::get_if<std::uint64_t>(&version->value) : nullptr;
    if (name == nullptr || number == nullptr)
      fail(Status::bad_file, "{}: metadata keys {} (a string) and {} (a number) belong together", path_, layout_key, layout_version_key);
    const bool known = *name == layout_name && *number == layout_version;
    if (!known && !allow_unknown_)
      fail(Status::unsupported,
           "{}: metadata keys {} and {} are {} and {}, and this version reads {} {}: make the file anew from the "
           "original, with this version's mla-quantize --layout native",
           path_, layout_key, layout_version_key, *name, *number, layout_name, layout_version);
    return known;
  }

  // Tensors of a layout that isn't known keep their number, which is no type's.
  void note_panels(TensorInfo& tensor, std::uint32_t type, bool knows_panels) {
    if (!knows_panels || quant::find_traits(type) == nullptr) {
      if (allow_unknown_) return;
      if (!knows_panels)
        fail(Status::bad_file, "{}: tensor {} is in panels (type {}), and metadata key {} is missing", path_, tensor.name, tensor.type,
             layout_key);
      fail(Status::unsupported, "{}: tensor {} is of type {} in panels, which this version doesn't know", path_, tensor.name, type);
    }
    if (tensor.shape.size() < 2 || tensor.shape[1] == 0 || tensor.shape[1] % layout_rows != 0)
      fail(Status::bad_file, "{}: tensor {} is in panels, and its rows aren't a multiple of {}", path_, tensor.name, layout_rows);
    tensor.type = type;
    tensor.in_panels = true;
  }

  void check_count(const char* what, std::uint64_t n, std::uint64_t least_bytes) {
    if (n > reader_.remaining() / least_bytes)
      fail(Status::bad_file, "{}: {} {} can't fit in a file of {} bytes", path_, n, what, file_.bytes().size());
  }

  GgufValue read_value(const std::string& key) {
    GgufValue out;
    out.type = reader_.read<std::uint32_t>("the type of a metadata value");
    if (out.type >= n_value_types) fail(Status::bad_file, "{}: metadata key {} has unknown value type {}", path_, key, out.type);
    if (out.type != array) {
      out.value = read_scalar(key, out.type);
      return out;
    }
    out.element_type = reader_.read<std::uint32_t>("the element type of a metadata array");
    if (out.element_type == array)
      fail(Status::unsupported, "{}: metadata key {} is an array of arrays, which libmla doesn't read", path_, key);
    if (out.element_type >= n_value_types)
      fail(Status::bad_file, "{}: metadata key {} is an array of unknown value type {}", path_, key, out.element_type);
    const auto n = reader_.read<std::uint64_t>("the length of a metadata array");
    if (n > reader_.remaining() / smallest_bytes[out.element_type] || n > most_array_values)
      fail(Status::bad_file, "{}: metadata key {} is an array of {} values, more than {}", path_, key, n,
           n > most_array_values ? "any model has" : "the file can hold");
    out.value = read_array(key, out.element_type, n);
    return out;
  }

  GgufScalar read_scalar(const std::string& key, std::uint32_t type) {
    const char* what = "a metadata value";
    switch (type) {
      case u8: return std::uint64_t{reader_.read<std::uint8_t>(what)};
      case u16: return std::uint64_t{reader_.read<std::uint16_t>(what)};
      case u32: return std::uint64_t{reader_.read<std::uint32_t>(what)};
      case u64: return reader_.read<std::uint64_t>(what);
      case i8: return std::int64_t{reader_.read<std::int8_t>(what)};
      case i16: return std::int64_t{reader_.read<std::int16_t>(what)};
      case i32: return std::int64_t{reader_.read<std::int32_t>(what)};
      case i64: return reader_.read<std::int64_t>(what);
      case f32: return double{reader_.read<float>(what)};
      case f64: return reader_.read<double>(what);
      case string: return reader_.read_string(what);
      default: break;
    }
    const auto byte = reader_.read<std::uint8_t>(what);
    if (byte > 1) fail(Status::bad_file, "{}: metadata key {} is a bool of value {}", path_, key, byte);
    return byte == 1;
  }

  GgufArray read_array(const std::string& key, std::uint32_t type, std::uint64_t n) {
    const auto collect = [&](auto element) {
      std::vector<decltype(element)> values;
      values.reserve(n);
      for (std::uint64_t i = 0; i < n; ++i) values.push_back(std::get<decltype(element)>(read_scalar(key, type)));
      return GgufArray(std::move(values));
    };
    switch (type) {
      case u8: case u16: case u32: case u64: return collect(std::uint64_t{});
      case i8: case i16: case i32: case i64: return collect(std::int64_t{});
      case f32: case f64: return collect(double{});
      case boolean: return collect(bool{});
      default: return collect(std::string{});
    }
  }

  TensorInfo read_tensor() {
    TensorInfo tensor;
    tensor.part = part_;
    tensor.name = reader_.read_string("a tensor name");
    reader_.name_in_errors("tensor", tensor.name);
    const auto n = reader_.read<std::uint32_t>("a tensor's number of dimensions");
    if (n < 1 || n > max_dimensions) fail(Status::bad_file, "{}: tensor {} has {} dimensions", path_, tensor.name, n);
    for (std::uint32_t i = 0; i < n; ++i) tensor.shape.push_back(reader_.read<std::uint64_t>("a tensor's shape"));
    tensor.type = reader_.read<std::uint32_t>("a tensor's type");
    tensor.offset = reader_.read<std::uint64_t>("a tensor's offset");
    reader_.name_in_errors({}, {});
    return tensor;
  }

  // Sizes and absolute offsets, checked against the file.
  void place_tensors(GgufPart& out) {
    const std::uint64_t alignment = read_alignment(out), size = file_.bytes().size();
    const std::uint64_t data_begin = (reader_.position() + alignment - 1) / alignment * alignment;
    for (TensorInfo& tensor : out.tensors) {
      if (tensor.offset % alignment != 0)
        fail(Status::bad_file, "{}: tensor {}: offset {} is no multiple of the alignment, {}", path_, tensor.name, tensor.offset,
             alignment);
      const auto begin = platform::checked_add(data_begin, tensor.offset);
      const quant::Interleaving* layout = quant::find_interleaving(tensor.type);
      const quant::TypeTraits* traits = layout != nullptr ? &quant::traits(layout->base) : quant::find_traits(tensor.type);
      if (traits == nullptr && !allow_unknown_) refuse_type(tensor);
      if (traits != nullptr) tensor.bytes = tensor_bytes(tensor, *traits);
      if (layout != nullptr) check_groups(tensor, *layout);
      const auto end = begin ? platform::checked_add(*begin, tensor.bytes) : std::nullopt;
      if (!end || *end > size)
        fail(Status::bad_file, "{}: tensor {} ends behind the end of the file ({} bytes): the file is cut short or damaged", path_,
             tensor.name, size);
      tensor.offset = *begin;
      if (traits != nullptr) tensor.data = file_.bytes().data() + *begin;
    }
    refuse_overlaps(out.tensors);
  }

  [[noreturn]] void refuse_type(const TensorInfo& tensor) {
    const std::string name = quant::type_name(tensor.type);
    const std::string type = name.empty() ? std::to_string(tensor.type) : fmt::format("{} ({})", name, tensor.type);
    fail(Status::unsupported, "{}: tensor {} is of type {}, which this version doesn't {}: use a file of another type, such as Q4_K", path_,
         tensor.name, type, name.empty() ? "know" : "read");
  }

  // A group of interleaved rows doesn't reach into the next matrix.
  void check_groups(const TensorInfo& tensor, const quant::Interleaving& layout) {
    const std::uint64_t rows = tensor.shape.size() > 1 ? tensor.shape[1] : 1;
    if (rows % static_cast<std::uint64_t>(layout.rows) != 0)
      fail(Status::bad_file, "{}: tensor {}: {} rows aren't whole groups of {} ({})", path_, tensor.name, rows, layout.rows, layout.name);
  }

  // Tensors of unknown type have no size and count for nothing here.
  void refuse_overlaps(const std::vector<TensorInfo>& tensors) {
    std::vector<const TensorInfo*> order;
    for (const TensorInfo& tensor : tensors)
      if (tensor.bytes > 0) order.push_back(&tensor);
    std::ranges::sort(order, {}, &TensorInfo::offset);
    for (std::size_t i = 1; i < order.size(); ++i)
      if (order[i]->offset - order[i - 1]->offset < order[i - 1]->bytes)
        fail(Status::bad_file, "{}: tensor {} and tensor {} overlap", path_, order[i - 1]->name, order[i]->name);
  }

  std::uint64_t read_alignment(const GgufPart& part) {
    for (const auto& [key, value] : part.metadata) {
      if (key != "general.alignment") continue;
      const auto* number = std::get_if<std::uint64_t>(&value.value);
      if (number == nullptr || !std::has_single_bit(*number) || *number < 4 || *number > (1u << 20))
        fail(Status::bad_file, "{}: metadata key general.alignment is not a power of two from 4 to 2^20", path_);
      return *number;
    }
    return 32;
  }

  std::uint64_t tensor_bytes(const TensorInfo& tensor, const quant::TypeTraits& traits) {
    const auto block = static_cast<std::uint64_t>(traits.block_size);
    std::optional<std::uint64_t> n = 1;
    for (const std::uint64_t size : tensor.shape) {
      if (size == 0) fail(Status::bad_file, "{}: tensor {} has a dimension of 0", path_, tensor.name);
      if (n) n = platform::checked_mul(*n, size);
    }
    if (!n || *n > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      fail(Status::bad_file, "{}: tensor {} has more values than can be counted", path_, tensor.name);
    if (tensor.shape[0] % block != 0)
      fail(Status::bad_file, "{}: tensor {}: rows of {} values aren't whole blocks of {} ({})", path_, tensor.name, tensor.shape[0], block,
           traits.name);
    const std::uint64_t rows = *n / tensor.shape[0];
    const auto blocks = platform::checked_mul(*n / block, static_cast<std::uint64_t>(traits.block_bytes));
    const auto headers = platform::checked_mul(rows, static_cast<std::uint64_t>(traits.header_bytes));
    const auto bytes = blocks && headers ? platform::checked_add(*blocks, *headers) : std::nullopt;
    if (!bytes) fail(Status::bad_file, "{}: tensor {} is absurdly large", path_, tensor.name);
    return *bytes;
  }

  const platform::FileView& file_;
  const std::string& path_;
  ByteReader reader_;
  int part_;
  bool allow_unknown_;
};

}  // namespace

const std::byte* ByteReader::take(std::uint64_t n, const char* what) {
  if (n > remaining()) {
    const std::string owner = kind_.empty() ? "" : fmt::format("{} {}, ", kind_, name_);
    fail(Status::bad_file, "{}: the file ends within {} ({}at byte {}): it is cut short or damaged", path_, what, owner, position_);
  }
  const std::byte* at = bytes_.data() + position_;
  position_ += n;
  return at;
}

std::string ByteReader::read_string(const char* what) {
  const auto n = read<std::uint64_t>(what);
  if (n > most_string_bytes && n <= remaining())
    fail(Status::bad_file, "{}: {} (at byte {}) has {} bytes, more than any model has", path_, what, position_, n);
  const std::byte* text = take(n, what);
  return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(n)};
}

GgufPart read_gguf_part(const platform::FileView& file, int part, bool allow_unknown_types) {
  return PartParser(file, part, allow_unknown_types).parse();
}

}  // namespace mla::format
