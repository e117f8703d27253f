// Status names, version, memory.
#include <cstdlib>

#include <mla/error.hpp>

#include "guard.hpp"
#include "platform/cpu.hpp"

using namespace mla::capi;

const char* mla_status_name(mla_status status) {
  int value;
  std::memcpy(&value, &status, sizeof value);
  return value >= MLA_OK && value <= MLA_INTERNAL ? mla::to_string(static_cast<mla::Status>(value)) : "unknown status";
}

const char* mla_version(void) { return MLA_VERSION; }

const char* mla_isa_name(void) {
  return property<const char*>(__func__, nullptr, [] { return mla::platform::to_string(mla::platform::active_isa()); });
}

void mla_free(void* memory) { std::free(memory); }
