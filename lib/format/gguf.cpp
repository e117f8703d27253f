#include "format/gguf.hpp"

#include <algorithm>
#include <charconv>

#include "format/gguf_reader.hpp"
#include "platform/fail.hpp"

namespace mla::format {
namespace {

// "name-00002-of-00009.gguf" cut into its pieces.
struct PartName {
  std::string stem;
  unsigned number = 0, count = 0;

  static std::optional<PartName> of(const std::string& path) {
    constexpr std::size_t tail = std::string_view("-00001-of-00009.gguf").size();
    if (path.size() < tail) return std::nullopt;
    const std::string_view end = std::string_view(path).substr(path.size() - tail);
    PartName name{path.substr(0, path.size() - tail)};
    const auto digits = [&](std::size_t at, unsigned& out) {
      const auto [stop, error] = std::from_chars(end.data() + at, end.data() + at + 5, out);
      return error == std::errc{} && stop == end.data() + at + 5;
    };
    if (end[0] != '-' || end.substr(6, 4) != "-of-" || end.substr(15) != ".gguf" || !digits(1, name.number) || !digits(10, name.count))
      return std::nullopt;
    return name;
  }

  std::string path_of(unsigned part) const { return gguf_part_path(stem, part, count); }
};

void report_open(const std::string& path, const GgufFile::Options& options) {
  if (options.progress && !options.progress("open", 0, 1)) fail(Status::aborted, "loading {} was cancelled", path);
}

platform::FileView open_view(const std::string& path, const GgufFile::Options& options) {
  report_open(path, options);
  return options.use_mmap ? platform::FileView::map(path) : platform::FileView::read(path, options.allocator, options.progress);
}

platform::FileView open_view(int descriptor, const GgufFile::Options& options) {
  const std::string name = fmt::format("file descriptor {}", descriptor);
  report_open(name, options);
  return options.use_mmap ? platform::FileView::map(descriptor, name)
                          : platform::FileView::read(descriptor, name, options.allocator, options.progress);
}

std::optional<std::uint64_t> part_uint(const GgufPart& part, const std::string& path, std::string_view key) {
  for (const auto& [name, value] : part.metadata) {
    if (name != key) continue;
    if (const auto* number = std::get_if<std::uint64_t>(&value.value)) return *number;
    if (const auto* number = std::get_if<std::int64_t>(&value.value); number != nullptr && *number >= 0)
      return static_cast<std::uint64_t>(*number);
    fail(Status::bad_file, "{}: metadata key {} is not a count", path, key);
  }
  return std::nullopt;
}

}  // namespace

std::string gguf_part_path(std::string_view stem, std::size_t part, std::size_t n_parts) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", stem, part, n_parts);
}

/// Puts the parts of a model together.
class GgufReader {
 public:
  GgufReader(GgufFile& file, const GgufFile::Options& options) : file_(file), options_(options) {}

  void run(const std::string& path) {
    platform::FileView named = open_view(path, options_);
    GgufPart part = read_gguf_part(named, 0, options_.allow_unknown_types);
    const std::uint64_t count = part_uint(part, path, "split.count").value_or(1);
    if (count <= 1)
      take_whole(std::move(named), std::move(part));
    else
      read_parts(std::move(named), count);
    file_.index();
  }

  void run_in_memory(std::span<const std::byte> bytes) {
    platform::FileView view = platform::FileView::borrow(bytes, "the model in memory");
    constexpr std::uintptr_t alignment = 32;  // what offsets of tensors are multiples of
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment != 0)
      fail(Status::invalid_argument, "{}: its address is not a multiple of {}: copy it to one that is", view.path(), alignment);
    run_alone(std::move(view));
  }

  // What has no name that would lead to other parts.
  void run_alone(platform::FileView view) {
    GgufPart part = read_gguf_part(view, 0, options_.allow_unknown_types);
    if (const std::uint64_t count = part_uint(part, view.path(), "split.count").value_or(1); count > 1)
      fail(Status::unsupported, "{}: one of {} parts: load a split model from its files, or join them first", view.path(), count);
    take_whole(std::move(view), std::move(part));
    file_.index();
  }

 private:
  void take_whole(platform::FileView view, GgufPart part) {
    file_.parts_.push_back(std::move(view));
    add(std::move(part));
  }

  void read_parts(platform::FileView named, std::uint64_t count) {
    const std::string path = named.path();
    const auto name = PartName::of(path);
    if (!name) fail(Status::bad_file, "{}: one of {} parts, but its name doesn't end in -00001-of-{:05}.gguf", path, count, count);
    if (name->count != count) fail(Status::bad_file, "{}: metadata key split.count is {}, and the name says {}", path, count, name->count);
    if (name->number < 1 || name->number > count) fail(Status::bad_file, "{}: its name says part {} of {}", path, name->number, count);
    for (unsigned number = 1; number <= name->count; ++number) {
      const std::string part_path = name->path_of(number);
      if (!platform::file_exists(part_path)) fail(Status::not_found, "{}: part {} of {} is missing: {}", path, number, count, part_path);
      file_.parts_.push_back(number == name->number ? std::move(named) : open_view(part_path, options_));
      GgufPart part = read_gguf_part(file_.parts_.back(), static_cast<int>(number) - 1, options_.allow_unknown_types);
      if (part_uint(part, part_path, "split.count").value_or(0) != count)
        fail(Status::bad_file, "{}: metadata key split.count disagrees with {}", part_path, path);
      if (part_uint(part, part_path, "split.no").value_or(count) != number - 1)
        fail(Status::bad_file, "{}: metadata key split.no isn't {}, as the name says: parts are mixed up", part_path, number - 1);
      add(std::move(part));
    }
    const auto total = file_.get_uint("split.tensors.count");
    if (total && *total != file_.tensors_.size())
      fail(Status::bad_file, "{}: metadata key split.tensors.count is {}, and the parts hold {} tensors", path, *total,
           file_.tensors_.size());
  }

  // The first part's metadata are the model's; later parts carry only what concerns the split.
  void add(GgufPart part) {
    if (file_.parts_.size() == 1) {
      file_.version_ = part.version;
      file_.metadata_ = std::move(part.metadata);
      file_.index_keys();
    }
    file_.tensors_.insert(file_.tensors_.end(), std::make_move_iterator(part.tensors.begin()), std::make_move_iterator(part.tensors.end()));
  }

  GgufFile& file_;
  const GgufFile::Options& options_;
};

GgufFile GgufFile::open(const std::string& path, const Options& options) {
  GgufFile file;
  GgufReader(file, options).run(path);
  return file;
}

GgufFile GgufFile::open(int descriptor, const Options& options) {
  GgufFile file;
  GgufReader(file, options).run_alone(open_view(descriptor, options));
  return file;
}

GgufFile GgufFile::borrow(std::span<const std::byte> bytes, const Options& options) {
  GgufFile file;
  GgufReader(file, options).run_in_memory(bytes);
  return file;
}

GgufFile GgufFile::assemble(const std::string& path, std::vector<platform::FileView> parts,
                            std::vector<std::pair<std::string, GgufValue>> metadata, std::vector<TensorInfo> tensors) {
  constexpr std::uint32_t newest = 3;
  GgufFile file;
  file.version_ = newest;
  file.parts_ = std::move(parts);
  file.parts_.insert(file.parts_.begin(), platform::FileView::borrow({}, path));
  file.metadata_ = std::move(metadata);
  file.tensors_ = std::move(tensors);
  file.index_keys();
  file.index();
  return file;
}

void GgufFile::index_keys() {
  key_index_.clear();
  for (std::size_t i = 0; i < metadata_.size(); ++i)
    if (!key_index_.emplace(metadata_[i].first, i).second)
      fail(Status::bad_file, "{}: metadata key {} occurs twice", path(), metadata_[i].first);
}

void GgufFile::index() {
  tensor_index_.reserve(tensors_.size());
  for (std::size_t i = 0; i < tensors_.size(); ++i)
    if (!tensor_index_.emplace(tensors_[i].name, i).second)
      fail(Status::bad_file, "{}: tensor {} occurs twice", parts_[static_cast<std::size_t>(tensors_[i].part)].path(), tensors_[i].name);
}

std::uint64_t GgufFile::file_bytes() const noexcept {
  std::uint64_t total = 0;
  for (const platform::FileView& part : parts_) total += part.bytes().size();
  return total;
}

platform::FileView* GgufFile::part_with(const std::byte* data) noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  for (platform::FileView& part : parts_)
    if (address - reinterpret_cast<std::uintptr_t>(part.bytes().data()) < part.bytes().size()) return &part;
  return nullptr;
}

std::vector<std::string> GgufFile::part_paths() const {
  std::vector<std::string> paths;
  for (const platform::FileView& part : parts_) paths.push_back(part.path());
  return paths;
}

const TensorInfo* GgufFile::find(std::string_view name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

const GgufValue* GgufFile::find_key(std::string_view key) const {
  const auto found = key_index_.find(key);
  return found == key_index_.end() ? nullptr : &metadata_[found->second].second;
}

const char* gguf_type_name(std::uint32_t type) noexcept {
  constexpr const char* names[] = {"uint8", "int8",   "uint16", "int16",  "uint32", "int32",  "float32",
                                   "bool",  "string", "array",  "uint64", "int64",  "float64"};
  return type < std::size(names) ? names[type] : "unknown";
}

void GgufFile::fail_type(std::string_view key, const GgufValue& value, const char* wanted) const {
  fail(Status::bad_file, "{}: metadata key {} is of type {} where {} is expected", path(), key, gguf_type_name(value.type), wanted);
}

std::optional<std::uint64_t> GgufFile::get_uint(std::string_view key) const {
  const GgufValue* value = find_key(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = std::get_if<std::uint64_t>(&value->value)) return *number;
  if (const auto* number = std::get_if<std::int64_t>(&value->value); number != nullptr && *number >= 0)
    return static_cast<std::uint64_t>(*number);
  fail_type(key, *value, "a non-negative integer");
}

std::optional<double> GgufFile::get_float(std::string_view key) const {
  const GgufValue* value = find_key(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = std::get_if<double>(&value->value)) return *number;
  if (const auto* number = std::get_if<std::uint64_t>(&value->value)) return static_cast<double>(*number);
  if (const auto* number = std::get_if<std::int64_t>(&value->value)) return static_cast<double>(*number);
  fail_type(key, *value, "a number");
}

std::optional<bool> GgufFile::get_bool(std::string_view key) const {
  const GgufValue* value = find_key(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* flag = std::get_if<bool>(&value->value)) return *flag;
  fail_type(key, *value, "a bool");
}

std::optional<std::string> GgufFile::get_string(std::string_view key) const {
  const GgufValue* value = find_key(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* text = std::get_if<std::string>(&value->value)) return *text;
  fail_type(key, *value, "a string");
}

std::optional<std::vector<std::int64_t>> GgufFile::get_integers(std::string_view key) const {
  const GgufValue* value = find_key(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* items = std::get_if<GgufArray>(&value->value)) {
    if (const auto* numbers = std::get_if<std::vector<std::int64_t>>(items)) return *numbers;
    if (const auto* numbers = std::get_if<std::vector<std::uint64_t>>(items))
      return std::vector<std::int64_t>(numbers->begin(), numbers->end());
  }
  fail_type(key, *value, "an array of integers");
}

const std::vector<std::string>* GgufFile::get_strings(std::string_view key) const {
  const GgufValue* value = find_key(key);
  if (value == nullptr) return nullptr;
  if (const auto* items = std::get_if<GgufArray>(&value->value))
    if (const auto* texts = std::get_if<std::vector<std::string>>(items)) return texts;
  fail_type(key, *value, "an array of strings");
}

std::string GgufFile::require_string(std::string_view key) const {
  auto text = get_string(key);
  if (!text) fail(Status::bad_file, "{}: metadata key {} is missing", path(), key);
  return *std::move(text);
}

}  // namespace mla::format
