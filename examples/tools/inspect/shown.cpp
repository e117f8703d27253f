#include "inspect/shown.hpp"

#include <fmt/format.h>
#include <mla/error.hpp>

namespace program::inspect {

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

std::string type_text(const mla::FileInfo::Tensor& tensor) {
  return tensor.layout == "rows" ? tensor.type : tensor.type + " " + tensor.layout;
}

std::vector<CacheRow> cache_rows(const mla::FileInfo& info, int n_ctx) {
  std::vector<CacheRow> rows;
  if (!info.cache_shape) return rows;
  for (const auto& [mode, layout] :
       {std::pair{"auto, deepseek-mla", mla::CacheLayout::latent}, {"deepseek2", mla::CacheLayout::expanded}}) {
    for (const mla::CacheType type : mla::all_cache_types) {
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

const char* verdict(const mla::MemoryNeed& need) noexcept {
  return need.fits() ? "fits" : need.runs_from_disk() ? "reads weights from the disk again and again" : "doesn't fit";
}

}  // namespace program::inspect
