// Status names, version, memory.
#include <cstdlib>
#include <mla/error.hpp>
#include <mla/version.hpp>

#include "guard.hpp"

using namespace mla::capi;

const char* mla_status_name(mla_status status) {
  int value;
  std::memcpy(&value, &status, sizeof value);
  return value >= MLA_OK && value <= MLA_INTERNAL ? mla::to_string(static_cast<mla::Status>(value)) : "unknown status";
}

const char* mla_version(void) { return mla::version(); }

const char* mla_isa_name(void) {
  return property<const char*>(__func__, nullptr, [] { return mla::isa_name(); });
}

void mla_free(void* memory) { std::free(memory); }
