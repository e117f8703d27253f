// Writes a matrix of float32 as a NumPy file (.npy 1.0), row by row.
#pragma once
#include <cstdint>
#include <fstream>
#include <span>
#include <string>

namespace program {

/// Writes beside `path` and takes its place in finish(); without it nothing stays behind. A device or pipe is written in
/// place. Throws Failure that names the file.
class NpyWriter {
 public:
  NpyWriter(std::string path, std::uint64_t n_rows, std::uint64_t n_columns);
  ~NpyWriter();
  NpyWriter(const NpyWriter&) = delete;
  NpyWriter& operator=(const NpyWriter&) = delete;
  void write(std::span<const float> values);
  void finish();  ///< call when all n_rows * n_columns values are written

 private:
  void check();
  std::string path_;    // as the user named it
  std::string target_;  // what part_ is renamed to; empty: part_ is written in place
  std::string part_;
  std::ofstream file_;
};

}  // namespace program
