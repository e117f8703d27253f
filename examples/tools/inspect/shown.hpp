// What mla-inspect shows, as text and as JSON.
#pragma once
#include <string>
#include <vector>

#include <mla/inspect.hpp>

namespace program::inspect {

/// What the cache takes with one mode and row type; types that the model's widths don't allow are left out.
struct CacheRow {
  const char* mode;
  mla::CacheType type;
  std::uint64_t bytes_per_token;
  std::uint64_t bytes;  // of n_ctx tokens
};
std::vector<CacheRow> cache_rows(const mla::FileInfo& info, int n_ctx);

/// What running takes, in a mode of attention.
struct NeedRow {
  const char* mode;
  mla::MemoryNeed need;
};

/// "fits", "reads weights from the disk again and again" or "doesn't fit".
const char* verdict(const mla::MemoryNeed& need) noexcept;

std::string size_text(std::uint64_t bytes);
std::string shape_text(const std::vector<std::uint64_t>& shape);
std::string type_text(const mla::FileInfo::Tensor& tensor);
/// One line that a terminal shows as it stands, however long or strange the text.
std::string one_line(const std::string& text);

/// `context` says in words what the needs are for.
std::string as_table(const mla::FileInfo& info, int n_ctx, const std::vector<NeedRow>& needs, const std::string& context, bool tensors);
std::string as_json(const mla::FileInfo& info, int n_ctx, const std::vector<NeedRow>& needs);

std::string diff_as_table(const mla::FileDiff& diff);
std::string diff_as_json(const mla::FileDiff& diff);

}  // namespace program::inspect
