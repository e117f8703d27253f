#include <mla/version.hpp>

#include "platform/cpu.hpp"

namespace mla {

const char* version() noexcept { return MLA_VERSION; }
const char* isa_name() { return platform::to_string(platform::active_isa()); }

}  // namespace mla
