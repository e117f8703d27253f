// Errors: every failure that a caller can meet is an mla::Error with a Status and one clear line of text.
#pragma once
#include <stdexcept>
#include <string>

namespace mla {

/// Why a call failed. The values are those of mla_status in the C API and never change their number.
enum class Status : int {
  ok = 0,
  invalid_argument = 1,  ///< the caller passed something that can't be: wrong size, unknown sequence, null
  not_found = 2,         ///< a file or folder that isn't there
  io_error = 3,          ///< the operating system refused to read, write or map
  bad_file = 4,          ///< a file that is truncated, damaged or contradicts itself
  unsupported = 5,       ///< a valid file or request that this version can't serve
  out_of_memory = 6,     ///< an allocation failed; nothing was changed
  cache_full = 7,        ///< the KV cache has no room for the batch; nothing was changed
  aborted = 8,           ///< the host's abort or progress callback asked to stop; nothing was changed
  internal = 9,          ///< a bug in libmla
};

/// The one exception type the library throws (std::bad_alloc apart).
/// what() names the file, tensor, key or argument and, where there is one, the remedy.
class Error : public std::runtime_error {
 public:
  Error(Status status, const std::string& message) : std::runtime_error(message), status_(status) {}
  Status status() const noexcept { return status_; }

 private:
  Status status_;
};

/// A short English name, such as "bad file".
const char* to_string(Status status) noexcept;

}  // namespace mla
