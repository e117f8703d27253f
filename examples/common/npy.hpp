// Writes a matrix of float32 as a NumPy file (.npy 1.0), row by row.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "common/output_file.hpp"

namespace program {

class NpyWriter {
 public:
  NpyWriter(std::string path, std::uint64_t n_rows, std::uint64_t n_columns);
  void write(std::span<const float> values) { file_.write(values.data(), values.size_bytes()); }
  void finish() { file_.finish(); }  ///< call when all n_rows * n_columns values are written

 private:
  OutputFile file_;
};

}  // namespace program
