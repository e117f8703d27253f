#include <mla/error.hpp>
#include <mla/types.hpp>

#include "platform/fail.hpp"

namespace mla {

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
  }
  return "unknown";
}

AttentionMode parse_attention_mode(std::string_view name) {
  for (const auto mode : {AttentionMode::automatic, AttentionMode::deepseek2, AttentionMode::deepseek_mla})
    if (name == to_string(mode)) return mode;
  fail(Status::invalid_argument, "unknown attention mode '{}': use auto, deepseek2 or deepseek-mla", name);
}

CacheType parse_cache_type(std::string_view name) {
  for (const auto type : {CacheType::f32, CacheType::f16, CacheType::bf16, CacheType::q8_0})
    if (name == to_string(type)) return type;
  fail(Status::invalid_argument, "unknown cache type '{}': use f32, f16, bf16 or q8_0", name);
}

}  // namespace mla
