// mla-inspect: what is in a model file.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <mla/error.hpp>
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

// One line that a terminal shows as it stands, however long or strange the text.
std::string one_line(const std::string& text) {
  constexpr std::size_t widest = 100;
  std::size_t end = std::min(text.size(), widest);
  if (end < text.size())
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not within a character
  std::string line;
  for (const char c : text.substr(0, end)) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    line += c == '\n' ? "\\n" : control ? "?" : std::string(1, c);
  }
  return end < text.size() ? line + " …" : line;
}

std::string type_text(const FileInfo::Tensor& tensor) { return tensor.layout == "rows" ? tensor.type : tensor.type + " " + tensor.layout; }

struct CacheRow {
  const char* mode;
  CacheType type;
  std::uint64_t bytes_per_token;
  std::uint64_t bytes;  // of n_ctx tokens
};

// What the cache takes in each mode and row type; types that the model's widths don't allow are left out.
std::vector<CacheRow> cache_rows(const FileInfo& info, int n_ctx) {
  std::vector<CacheRow> rows;
  if (!info.cache_shape) return rows;
  for (const auto& [mode, layout] : {std::pair{"auto, deepseek-mla", CacheLayout::latent}, {"deepseek2", CacheLayout::expanded}}) {
    for (const CacheType type : mla::all_cache_types) {
      mla::KvCacheOptions page;
      page.layout = layout;
      page.type_k = page.type_v = type;
      page.n_ctx = mla::KvCache::page_rows;
      mla::KvCacheOptions whole = page;
      whole.n_ctx = n_ctx;
      try {
        rows.push_back({mode, type, mla::KvCache::bytes_at_capacity(*info.cache_shape, page) / mla::KvCache::page_rows,
                        mla::KvCache::bytes_at_capacity(*info.cache_shape, whole)});
      } catch (const mla::Error& error) {
        if (error.status() != mla::Status::invalid_argument) throw;
      }
    }
  }
  return rows;
}

std::string table(const FileInfo& info, int n_ctx, bool tensors) {
  std::string out = fmt::format("{}\nGGUF version {}, {} part{}, {}; {} tensors, {} parameters\n", info.path, info.version, info.n_parts,
                                info.n_parts == 1 ? "" : "s", size_text(info.file_bytes), info.tensors.size(), info.n_parameters);
  if (!info.problem.empty()) out += fmt::format("libmla can't run it: {}\n", one_line(info.problem));
  out += "\nmetadata\n";
  for (const FileInfo::Key& key : info.keys) out += fmt::format("  {:<48} {:<16} {}\n", one_line(key.name), key.type, one_line(key.value));
  std::map<std::string, std::pair<std::uint64_t, int>> by_type;
  for (const FileInfo::Tensor& tensor : info.tensors) by_type[type_text(tensor)].first += tensor.bytes, ++by_type[type_text(tensor)].second;
  out += "\ntensor types\n";
  for (const auto& [type, total] : by_type) out += fmt::format("  {:<15} {:>5} tensors {:>12}\n", type, total.second, size_text(total.first));
  const auto rows = cache_rows(info, n_ctx);
  if (!rows.empty()) out += fmt::format("\nKV cache: bytes per token, and what {} tokens take\n", n_ctx);
  for (const CacheRow& row : rows)
    out += fmt::format("  {:<20} {:<5} {:>9} {:>14}\n", row.mode, mla::to_string(row.type), row.bytes_per_token, size_text(row.bytes));
  if (tensors) {
    out += "\ntensors: name, type, sizes (row width first), bytes\n";
    for (const FileInfo::Tensor& tensor : info.tensors)
      out += fmt::format("  {:<40} {:<15} {:>24} {:>12}\n", one_line(tensor.name), type_text(tensor), shape_text(tensor.shape), tensor.bytes);
  }
  return out;
}

std::string json(const FileInfo& info, int n_ctx) {
  nlohmann::ordered_json out{{"path", info.path}, {"version", info.version}, {"parts", info.n_parts}, {"file_bytes", info.file_bytes},
                             {"tensor_bytes", info.tensor_bytes}, {"parameters", info.n_parameters}, {"problem", info.problem}};
  for (const char* list : {"metadata", "tensors", "cache"}) out[list] = nlohmann::ordered_json::array();
  for (const FileInfo::Key& key : info.keys) out["metadata"].push_back({{"key", key.name}, {"type", key.type}, {"value", key.value}});
  for (const FileInfo::Tensor& tensor : info.tensors)
    out["tensors"].push_back({{"name", tensor.name}, {"type", tensor.type}, {"layout", tensor.layout}, {"shape", tensor.shape}, {"bytes", tensor.bytes}});
  for (const CacheRow& row : cache_rows(info, n_ctx))
    out["cache"].push_back({{"attention", row.mode}, {"cache_type", mla::to_string(row.type)}, {"bytes_per_token", row.bytes_per_token},
                            {"n_ctx", n_ctx}, {"bytes", row.bytes}});
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Shows a GGUF file's metadata, tensors and sizes, and the bytes that its KV cache takes in each attention mode.", "mla-inspect");
  std::string path;
  int n_ctx = 4096;
  bool as_json = false, no_tensors = false;
  app.add_option("model,-m,--model", path, "the file; of a split model any part")->required()->check(program::file_name());
  app.add_option("-c,--ctx-size", n_ctx, "tokens of the cache whose size is shown")->check(program::whole_number(1, 1 << 30))->capture_default_str();
  app.add_flag("--no-tensors", no_tensors, "leave out the list of tensors");
  app.add_flag("--json", as_json, "everything as JSON");
  return program::run(app, argc, argv, [&] {
    const FileInfo info = mla::inspect_file(path);
    program::print(as_json ? json(info, n_ctx) : table(info, n_ctx, !no_tensors));
  });
}
