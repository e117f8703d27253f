#include "platform/process.hpp"

#include <unistd.h>

#include "platform/fail.hpp"

namespace mla::platform {

// Asked anew each time: a handler of pthread_atfork() would be state of the whole process, and would outlive a library that is unloaded.
ProcessMark::ProcessMark() noexcept : process_(::getpid()) {}
bool ProcessMark::is_here() const noexcept { return process_ == ::getpid(); }

void ProcessMark::require(const char* what) const {
  if (!is_here())
    fail(Status::unsupported, "{} was made before fork(), and its threads stayed in the parent: make it anew in this process (models and caches are shared)", what);
}

}  // namespace mla::platform
