// Importance matrices: how strongly each column of a weight matrix is driven, measured over a text. Both file formats in use: GGUF, and
// the older one that has no magic number and mostly ends in ".dat".
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mla::format {

/// Of one tensor: sums of squared activations for each column of each of its matrices (experts are matrices of their own).
struct ImatrixEntry {
  std::string name;                  ///< the tensor's: "blk.0.attn_q_a.weight"
  std::vector<float> sums;           ///< [n_matrices, n_columns]; finite, not negative
  std::vector<std::int64_t> counts;  ///< [n_matrices]: rows of activations that were summed; 0: the matrix was never used

  std::int64_t n_columns() const noexcept { return static_cast<std::int64_t>(sums.size() / counts.size()); }
};

struct Imatrix {
  std::vector<ImatrixEntry> entries;
  std::vector<std::string> datasets;  ///< the texts' file names; the old format holds one
  std::uint32_t n_chunks = 0;         ///< pieces of text that were evaluated; 0: the file doesn't say
  std::uint32_t chunk_tokens = 0;     ///< tokens in each; the old format doesn't say

  /// nullptr: the tensor has no entry.
  const ImatrixEntry* find(std::string_view name) const noexcept;
};

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
