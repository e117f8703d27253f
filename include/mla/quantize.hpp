// Model files into model files that hold the same weights otherwise.
#pragma once
#include <memory>
#include <string>

#include <mla/host.hpp>

namespace mla {

/// How the weights of a file are stored.
enum class FileLayout : int {
  rows = 0,    ///< row by row, as every program reads them
  native = 1,  ///< as libmla's kernels read them: such a file is mapped and never repacked. Other programs refuse it
};

struct QuantizeOptions {
  FileLayout layout = FileLayout::rows;
  int n_threads = 0;                       ///< 0: the processors this process may use
  ProgressCallback progress = nullptr;     ///< phases "open", and "write" with bytes of output; false stops with Status::aborted
};

/// Writes the model of `input` (GGUF; of a split model any part) to `output`, one file, in another layout. From rows to native and
/// back every tensor has its bytes again, and the file too, if it was one file aligned to 32 bytes. Works piece by piece: takes
/// about 100 MB, whatever the size of the model.
/// Throws Error: not_found, io_error, bad_file, unsupported (another architecture), invalid_argument (also if `output` is a part of the
/// input), out_of_memory, aborted; names the file and the key or tensor. A run that fails or is stopped leaves no file, and one
/// that was there before as it was.
void quantize_file(const std::string& input, const std::string& output, const QuantizeOptions& options);

}  // namespace mla
