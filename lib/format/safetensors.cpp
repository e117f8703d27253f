#include "format/safetensors.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

#include "platform/checked.hpp"
#include "platform/fail.hpp"
#include "platform/json.hpp"

namespace mla::format {
namespace {

std::uint64_t dtype_bytes(const std::string& dtype) {
  static const std::map<std::string, std::uint64_t> sizes{{"F64", 8},     {"I64", 8},     {"U64", 8},  {"F32", 4}, {"I32", 4},
                                                          {"U32", 4},     {"F16", 2},     {"BF16", 2}, {"I16", 2}, {"U16", 2},
                                                          {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"I8", 1},   {"U8", 1},  {"BOOL", 1}};
  const auto found = sizes.find(dtype);
  return found == sizes.end() ? 0 : found->second;
}

std::uint64_t count_of(const nlohmann::json& value, const std::string& path, const std::string& name) {
  if (!value.is_number_unsigned()) fail(Status::bad_file, "{}: tensor {}: a size that is no whole number", path, name);
  return value.get<std::uint64_t>();
}

SafetensorsTensor read_entry(const nlohmann::json& entry, const std::string& name, const std::string& path,
                             std::span<const std::byte> data) {
  const auto array = [&](const char* key) -> const nlohmann::json& {
    if (!entry.is_object() || !entry.contains(key) || !entry[key].is_array())
      fail(Status::bad_file, "{}: tensor {} has no {}", path, name, key);
    return entry[key];
  };
  SafetensorsTensor tensor;
  const nlohmann::json& shape = array("shape");
  const nlohmann::json& offsets = array("data_offsets");
  if (!entry.contains("dtype") || !entry["dtype"].is_string()) fail(Status::bad_file, "{}: tensor {} has no dtype", path, name);
  tensor.dtype = entry["dtype"].get<std::string>();
  const std::uint64_t size = dtype_bytes(tensor.dtype);
  if (size == 0) fail(Status::unsupported, "{}: tensor {} is of dtype {}, which this version doesn't know", path, name, tensor.dtype);
  std::optional<std::uint64_t> bytes = size;
  for (const nlohmann::json& dimension : shape) {
    tensor.shape.push_back(count_of(dimension, path, name));
    if (bytes) bytes = platform::checked_mul(*bytes, tensor.shape.back());
  }
  if (tensor.shape.size() > 8 || offsets.size() != 2) fail(Status::bad_file, "{}: tensor {} has a malformed entry", path, name);
  const std::uint64_t begin = count_of(offsets[0], path, name), end = count_of(offsets[1], path, name);
  if (!bytes || begin > end || end > data.size() || end - begin != *bytes)
    fail(Status::bad_file, "{}: tensor {}: bytes {} to {} don't fit its shape, or the file is cut short", path, name, begin, end);
  tensor.data = data.data() + begin;
  tensor.bytes = *bytes;
  tensor.path = &path;
  return tensor;
}

}  // namespace

void SafetensorsFolder::add_file(const std::string& path, const Options& options) {
  const platform::FileView& file = files_.emplace_back(
      options.use_mmap ? platform::FileView::map(path) : platform::FileView::read(path, options.allocator, options.progress));
  paths_.push_back(path);
  const std::span<const std::byte> bytes = file.bytes();
  std::uint64_t header_bytes = 0;
  if (bytes.size() >= sizeof header_bytes) std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  if (bytes.size() < sizeof header_bytes || header_bytes > bytes.size() - sizeof header_bytes || header_bytes > (100u << 20))
    fail(Status::bad_file, "{}: not a safetensors file, or cut short", path);
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + sizeof header_bytes, header_bytes);
  const platform::JsonDocument document = platform::parse_json(header, path);
  const nlohmann::json& entries = document.root();
  if (!entries.is_object()) fail(Status::bad_file, "{}: the header is no JSON object", path);
  std::vector<std::pair<const std::byte*, const std::pair<const std::string, SafetensorsTensor>*>> places;
  for (const auto& [name, entry] : entries.items()) {
    if (name == "__metadata__") continue;
    auto tensor = read_entry(entry, name, paths_.back(), bytes.subspan(sizeof header_bytes + header_bytes));
    const auto [added, is_new] = tensors_.emplace(name, std::move(tensor));
    if (!is_new) fail(Status::bad_file, "{}: tensor {} is in two files", path, name);
    if (added->second.bytes > 0) places.emplace_back(added->second.data, &*added);
  }
  std::ranges::sort(places);
  for (std::size_t i = 1; i < places.size(); ++i)
    if (static_cast<std::uint64_t>(places[i].first - places[i - 1].first) < places[i - 1].second->second.bytes)
      fail(Status::bad_file, "{}: tensor {} and tensor {} overlap", path, places[i - 1].second->first, places[i].second->first);
}

SafetensorsFolder SafetensorsFolder::open(const std::string& folder, const Options& options) {
  SafetensorsFolder out;
  const std::string index_path = folder + "/model.safetensors.index.json";
  if (!platform::file_exists(index_path)) {
    out.add_file(folder + "/model.safetensors", options);
    return out;
  }
  const platform::JsonDocument document = platform::read_json_file(index_path);
  const nlohmann::json& index = document.root();
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object())
    fail(Status::bad_file, "{}: it has no weight_map", index_path);
  std::set<std::string> shards;
  for (const auto& [name, shard] : index["weight_map"].items()) {
    // A name, not a path: an index from outside must not reach other folders.
    if (!shard.is_string() || shard.get<std::string>().find('/') != std::string::npos)
      fail(Status::bad_file, "{}: weight_map entry {} is no file name", index_path, name);
    shards.insert(shard.get<std::string>());
  }
  for (const std::string& shard : shards) out.add_file(folder + "/" + shard, options);
  for (const auto& [name, shard] : index["weight_map"].items())
    if (!out.tensors_.contains(name)) fail(Status::bad_file, "{}: tensor {} is not in {}", index_path, name, shard.get<std::string>());
  return out;
}

const SafetensorsTensor* SafetensorsFolder::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

const platform::FileView* SafetensorsFolder::file_with(const std::byte* data) const noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  for (const platform::FileView& file : files_)
    if (address - reinterpret_cast<std::uintptr_t>(file.bytes().data()) < file.bytes().size()) return &file;
  return nullptr;
}

std::vector<platform::FileView> SafetensorsFolder::take_files() && { return std::move(files_); }

}  // namespace mla::format
