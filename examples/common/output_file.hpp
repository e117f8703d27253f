// A file that a program writes: whole, or not there.
#pragma once
#include <cstddef>
#include <fstream>
#include <string>

namespace program {

/// Writes beside `path` and takes its place in finish(); without it nothing stays behind. A device or pipe is written in
/// place. Throws Failure that names the file.
class OutputFile {
 public:
  explicit OutputFile(std::string path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  void write(const void* bytes, std::size_t n);
  void finish();

 private:
  void check();
  std::string path_;    // as the user named it
  std::string target_;  // what part_ is renamed to; empty: part_ is written in place
  std::string part_;
  std::ofstream file_;
};

}  // namespace program
