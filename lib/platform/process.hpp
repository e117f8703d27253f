// Which process an object was made in: threads don't follow it through fork().
#pragma once
#include <sys/types.h>

namespace mla::platform {

class ProcessMark {
 public:
  ProcessMark() noexcept;
  /// False in a child of the process in which this was made: threads that were started there don't exist here, and locks that they
  /// held stay locked for ever.
  bool is_here() const noexcept;
  /// Throws Error(unsupported) that names `what`, and what to do, if it isn't.
  void require(const char* what) const;

 private:
  pid_t process_;
};

}  // namespace mla::platform
