#include <algorithm>
#include <mla/error.hpp>
#include <mla/types.hpp>

#include "platform/fail.hpp"

namespace mla {
namespace {

// Bytes of the printable UTF-8 character that `text` begins with; 0 if there is none.
std::size_t character_bytes(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = byte(0);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const std::size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  unsigned code = first & (0xffu >> (n + 1));
  for (std::size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr unsigned least[] = {0xa0, 0x800, 0x10000};  // below 0xa0: control characters again
  const bool valid = first >= 0xc2 && first < 0xf5 && code >= least[n - 2] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return valid ? n : 0;
}

}  // namespace

std::string one_line(std::string text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t n = character_bytes(std::string_view(text).substr(i));
    if (n == 0) text[i] = '?';
    i += std::max<std::size_t>(n, 1);
  }
  return text;
}

const char* to_string(Status status) noexcept {
  switch (status) {
    case Status::ok: return "ok";
    case Status::invalid_argument: return "invalid argument";
    case Status::not_found: return "not found";
    case Status::io_error: return "input/output error";
    case Status::bad_file: return "bad file";
    case Status::unsupported: return "unsupported";
    case Status::out_of_memory: return "out of memory";
    case Status::cache_full: return "cache full";
    case Status::aborted: return "aborted";
    case Status::internal: return "internal error";
  }
  return "unknown status";
}

const char* to_string(AttentionMode mode) noexcept {
  switch (mode) {
    case AttentionMode::automatic: return "auto";
    case AttentionMode::deepseek2: return "deepseek2";
    case AttentionMode::deepseek_mla: return "deepseek-mla";
  }
  return "unknown";
}

const char* to_string(CacheType type) noexcept {
  switch (type) {
    case CacheType::f32: return "f32";
    case CacheType::f16: return "f16";
    case CacheType::bf16: return "bf16";
    case CacheType::q8_0: return "q8_0";
    case CacheType::q6_0: return "q6_0";
    case CacheType::q4_0: return "q4_0";
    case CacheType::q8_row: return "q8_row";
    case CacheType::q16_row: return "q16_row";
  }
  return "unknown";
}

const char* to_string(Numa mode) noexcept {
  switch (mode) {
    case Numa::none: return "none";
    case Numa::distribute: return "distribute";
    case Numa::isolate: return "isolate";
    case Numa::numactl: return "numactl";
    case Numa::split: return "split";
    case Numa::replicate: return "replicate";
  }
  return "unknown";
}

AttentionMode parse_attention_mode(std::string_view name) {
  for (const auto mode : {AttentionMode::automatic, AttentionMode::deepseek2, AttentionMode::deepseek_mla})
    if (name == to_string(mode)) return mode;
  fail(Status::invalid_argument, "unknown attention mode '{}': use auto, deepseek2 or deepseek-mla", name);
}

CacheType parse_cache_type(std::string_view name) {
  for (const CacheType type : all_cache_types)
    if (name == to_string(type)) return type;
  fail(Status::invalid_argument, "unknown cache type '{}': use f32, f16, bf16, q8_0, q6_0, q4_0, q8_row or q16_row", name);
}

Numa parse_numa(std::string_view name) {
  for (const auto mode : {Numa::none, Numa::distribute, Numa::isolate, Numa::numactl, Numa::split, Numa::replicate})
    if (name == to_string(mode)) return mode;
  fail(Status::invalid_argument, "unknown NUMA mode '{}': use none, distribute, isolate, numactl, split or replicate", name);
}

}  // namespace mla
