// Files that a benchmark writes.
#pragma once
#include <string>

namespace bench {

/// Throws program::Failure that names the file if it can't be written: better before an hour of measurements than after.
void check_writable(const std::string& path);
void write_text_file(const std::string& path, const std::string& text);  ///< throws the same

}  // namespace bench
