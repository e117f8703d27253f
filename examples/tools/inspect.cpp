// mla-inspect: what is in a model file.
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <mla/inspect.hpp>
#include <nlohmann/json.hpp>

#include "common/program.hpp"

namespace {

using mla::CacheLayout;
using mla::CacheType;
using mla::FileInfo;

std::string size_text(std::uint64_t bytes) {
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.2f} {}", value, units[unit]);
}

std::string shape_text(const std::vector<std::uint64_t>& shape) {
  std::string text;
  for (const std::uint64_t size : shape) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text;
}

// One line, however long or strange the value.
std::string one_line(const std::string& value) {
  constexpr std::size_t widest = 100;
  std::string text;
  for (const char c : value.substr(0, widest)) text += c == '\n' ? "\\n" : static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? "?" : std::string(1, c);
  while (value.size() > widest && !text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) text.pop_back();
  return value.size() > widest ? text + " …" : text;
}

struct CacheRow {
  const char* mode;
  mla::CacheType type;
  std::uint64_t bytes;
};

// Bytes that a token takes in each mode and row type; types that the model's widths don't allow are left out.
std::vector<CacheRow> cache_rows(const FileInfo& info) {
  std::vector<CacheRow> rows;
  if (!info.cache_shape) return rows;
  for (const auto& [mode, layout] : {std::pair{"auto, deepseek-mla", CacheLayout::latent}, {"deepseek2", CacheLayout::expanded}}) {
    for (const CacheType type : {CacheType::f32, CacheType::f16, CacheType::q8_0}) {
      mla::KvCacheOptions options;
      options.layout = layout;
      options.type_k = options.type_v = type;
      options.n_ctx = mla::KvCache::page_rows;
      try {
        rows.push_back({mode, type, mla::KvCache::bytes_at_capacity(*info.cache_shape, options) / mla::KvCache::page_rows});
      } catch (const std::exception&) {
      }
    }
  }
  return rows;
}

std::string table(const FileInfo& info, bool tensors) {
  std::string out = fmt::format("{}\nGGUF version {}, {} part{}, {}; {} tensors, {} parameters\n", info.path, info.version, info.n_parts,
                                info.n_parts == 1 ? "" : "s", size_text(info.file_bytes), info.tensors.size(), info.n_parameters);
  if (!info.problem.empty()) out += fmt::format("libmla can't run it: {}\n", info.problem);
  out += "\nmetadata\n";
  for (const FileInfo::Key& key : info.keys) out += fmt::format("  {:<48} {:<16} {}\n", key.name, key.type, one_line(key.value));
  std::map<std::string, std::pair<std::uint64_t, int>> by_type;
  for (const FileInfo::Tensor& tensor : info.tensors) by_type[tensor.type].first += tensor.bytes, ++by_type[tensor.type].second;
  out += "\ntensor types\n";
  for (const auto& [type, total] : by_type) out += fmt::format("  {:<10} {:>5} tensors {:>12}\n", type, total.second, size_text(total.first));
  if (tensors) {
    out += "\ntensors\n";
    for (const FileInfo::Tensor& tensor : info.tensors)
      out += fmt::format("  {:<40} {:<8} {:>24} {:>12}\n", tensor.name, tensor.type, shape_text(tensor.shape), size_text(tensor.bytes));
  }
  const auto rows = cache_rows(info);
  if (!rows.empty()) out += "\nKV cache per token\n";
  for (const CacheRow& row : rows) out += fmt::format("  {:<20} {:<5} {:>12}\n", row.mode, mla::to_string(row.type), size_text(row.bytes));
  return out;
}

std::string json(const FileInfo& info) {
  nlohmann::ordered_json out{{"path", info.path}, {"version", info.version}, {"parts", info.n_parts}, {"file_bytes", info.file_bytes},
                             {"tensor_bytes", info.tensor_bytes}, {"parameters", info.n_parameters}, {"problem", info.problem}};
  for (const FileInfo::Key& key : info.keys) out["metadata"].push_back({{"key", key.name}, {"type", key.type}, {"value", key.value}});
  for (const FileInfo::Tensor& tensor : info.tensors)
    out["tensors"].push_back({{"name", tensor.name}, {"type", tensor.type}, {"shape", tensor.shape}, {"bytes", tensor.bytes}});
  for (const CacheRow& row : cache_rows(info))
    out["cache_bytes_per_token"].push_back({{"attention", row.mode}, {"cache_type", mla::to_string(row.type)}, {"bytes", row.bytes}});
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Shows a GGUF file's metadata, tensors and sizes, and the bytes that its KV cache takes per token."};
  std::string path;
  bool as_json = false, tensors = false;
  app.add_option("model,-m,--model", path, "the file; of a split model any part")->required();
  app.add_flag("--tensors", tensors, "list every tensor");
  app.add_flag("--json", as_json, "everything as JSON");
  return program::run(app, argc, argv, [&] {
    const FileInfo info = mla::inspect_file(path);
    program::print(as_json ? json(info) : table(info, tensors));
  });
}
