// Model files into model files of other types, or in another layout.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <mla/host.hpp>

namespace mla {

/// How the weights of a file are stored.
enum class FileLayout : int {
  rows = 0,    ///< row by row, as every program reads them
  native = 1,  ///< as libmla's kernels read them: such a file is mapped and never repacked. Other programs refuse it
};

/// The type of the tensors whose name has a match of `pattern` (an ECMAScript regular expression).
struct TensorTypeRule {
  std::string pattern;
  std::string type;  ///< "q6_k"
};

struct QuantizeOptions {
  /// What matrices become; empty: what they are. A mix (quantize_types()) chooses tensor by tensor; docs/quantisation.md has the table.
  std::string type = {};
  bool pure = false;                         ///< every matrix in the type that the mix is named after
  std::vector<TensorTypeRule> tensor_types = {};  ///< before the mix's choices; the first that matches counts
  std::string imatrix = {};                  ///< importance matrix (GGUF or .dat); empty: all columns are of equal importance
  FileLayout layout = FileLayout::rows;
  std::uint64_t max_part_bytes = 0;          ///< of the files that the model is cut into; 0: one file
  int n_threads = 0;                         ///< 0: the processors this process may use
  ProgressCallback progress = nullptr;       ///< phases "open", and "quantize" (without a type, "write") with bytes of output; false stops with Status::aborted
  std::shared_ptr<LogSink> log = nullptr;    ///< rows that a type can't hold, tensors without importances; with LogLevel::info each tensor's type
};

/// Names for QuantizeOptions::type: mixes, and types.
std::vector<std::string> quantize_types();

/// Writes the model of `input` (GGUF; of a split model any part) to `output`, in other types or another layout. Matrices change; norms, biases
/// and routers stay as they are. Without a type, from rows to native and back, every tensor has its bytes again, and the file too, if it was one
/// file aligned to 32 bytes. Works piece by piece: takes about 200 MB, whatever the size of the model; the same bytes for any number of threads.
/// Returns the files that it wrote: `output`, or its parts.
/// Throws Error: not_found, io_error, bad_file (also weights that are not finite, and importances of another model), unsupported (another
/// architecture), invalid_argument (also if `output` is a part of the input), out_of_memory, aborted; names the file and the key or tensor. A run
/// that fails or is stopped leaves no file, and one that was there before as it was.
std::vector<std::string> quantize_file(const std::string& input, const std::string& output, const QuantizeOptions& options);

}  // namespace mla
