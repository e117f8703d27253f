// Files of importance matrices, in both formats in use: GGUF, and the older one that has no magic number and mostly ends in ".dat".
#pragma once
#include <cstdint>
#include <mla/imatrix.hpp>
#include <string>
#include <vector>

namespace mla::format {

using mla::Imatrix;
using mla::ImatrixEntry;

/// Reads a file of either format. The old one doesn't say how many matrices a tensor has: such an entry is one matrix of all columns of all
/// of them, with one count.
/// Throws Error: not_found, io_error, bad_file (cut short, damaged, an entry twice, sums that are negative or not finite); names the file and entry.
Imatrix read_imatrix(const std::string& path);

/// GGUF: for each entry F32 tensors NAME.in_sum2 [n_matrices, n_columns] and NAME.counts [n_matrices, 1].
/// Throws Error(io_error) that names the file; a run that fails leaves no file.
void write_imatrix_gguf(const std::string& path, const Imatrix& imatrix);

/// The older format: means instead of sums. A matrix that was never used gets equal weights, since the format can't say so.
void write_imatrix_dat(const std::string& path, const Imatrix& imatrix);

/// Weights of the columns of a tensor [n_matrices, n_columns]: the means of the squares. A matrix that was never used, or all of whose columns
/// are zero, has equal weights. Throws Error(bad_file) that names `path` and the entry if it is of another shape.
std::vector<float> imatrix_weights(const ImatrixEntry& entry, std::int64_t n_matrices, std::int64_t n_columns, const std::string& path);

}  // namespace mla::format
