// What is in a model file, what it takes to run it, and how two files differ, without loading them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <mla/context.hpp>
#include <mla/kv_cache.hpp>

namespace mla {

struct FileInfo {
  struct Key {
    std::string name;
    std::string type;   ///< "uint32", "string", "array of string", …
    std::string value;  ///< text; of a long array the first entries and its length
  };
  struct Tensor {
    std::string name;
    std::string type;  ///< "Q4_K", or "type 99" for one that this version doesn't know
    std::vector<std::uint64_t> shape;  ///< row width first
    std::uint64_t bytes = 0;           ///< 0 if the type isn't known
    std::string layout;                ///< "rows", or "panels16" in a file of mla-quantize --layout native
    /// "attention", "dense ffn", "shared experts", "routed experts", "router", "embedding", "output", "norms", "nextn" (layers of
    /// multi-token prediction) or "other".
    std::string kind;
  };

  std::string path;  ///< of the first part, or the folder
  int version = 0;   ///< of GGUF; 0: a Hugging Face folder, described as the GGUF file that it could be
  int n_parts = 0;   ///< of a folder its files of weights
  std::uint64_t file_bytes = 0;    ///< all parts together
  std::uint64_t tensor_bytes = 0;
  std::uint64_t n_parameters = 0;
  std::vector<Key> keys;
  std::vector<Tensor> tensors;
  std::optional<CacheShape> cache_shape;  ///< of a model that libmla can run
  std::string problem;                    ///< why it can't run it; empty if it can
};

/// A GGUF file, or a Hugging Face folder. Reads only headers: works on files larger than memory, and on types and architectures that libmla can't run.
/// Throws Error: not_found, io_error, bad_file; names file and key or tensor.
FileInfo inspect_file(const std::string& path);

/// What running a model takes, in bytes.
struct MemoryNeed {
  std::uint64_t weights = 0;   ///< the tensors, mapped: pages that the system may drop and read again
  /// Of them, those that RepackMode::automatic copies into the kernels' layout, if they fit; pages of the file are then let go.
  std::uint64_t repacked = 0;
  std::uint64_t derived = 0;   ///< matrices that the file lacks, rows that it has interleaved
  std::uint64_t cache = 0;     ///< with all its rows in use
  std::uint64_t context = 0;   ///< activations, scratch of the threads, logits of one row
  std::uint64_t room = 0;      ///< what this process may take now, pages of files that can be dropped included; all ones: nothing says
  std::string limit;           ///< what sets it: "the machine", "the control group /a/b"

  std::uint64_t total() const noexcept { return weights + derived + cache + context; }
  std::uint64_t held() const noexcept { return derived + cache + context; }  ///< of it, what the system can't drop, where weights are used in place
  bool fits() const noexcept { return total() <= room; }
  /// Nothing is refused memory, but weights are read from the disk again and again.
  bool runs_from_disk() const noexcept { return !fits() && held() <= room; }
};

/// For a context with these options (mode, n_ctx, n_ubatch, cache types and threads count) on this machine. Reads only headers. Of a folder the
/// weights are as Model::load() has them without load_type.
/// Throws Error: not_found, io_error, bad_file, unsupported, invalid_argument (options that can't be), out_of_memory.
MemoryNeed memory_need(const std::string& path, const ContextOptions& options);

/// How two files differ. Layout (panels or rows) and the order of keys and tensors are no difference.
struct FileDiff {
  struct Key {
    std::string name;
    std::optional<std::string> a, b;  ///< as FileInfo has them, of arrays that differ the first entry that does; empty: the file has no such key
  };
  struct Tensor {
    std::string name;
    std::optional<FileInfo::Tensor> a, b;  ///< empty: the file has no such tensor
    bool compared = false;                 ///< of one shape, of types that are known: the following hold
    double largest = 0;                    ///< largest difference of a value; NaN where one is
    double rms = 0;                        ///< root of the mean square of the differences
    double relative = 0;                   ///< of rms to the root mean square of a's values; 0 where both are 0
  };
  std::vector<Key> keys;          ///< that differ
  std::vector<Tensor> tensors;    ///< that differ in type, shape or values
  std::size_t n_equal_keys = 0, n_equal_tensors = 0;

  bool empty() const noexcept { return keys.empty() && tensors.empty(); }
};

struct DiffOptions {
  bool values = true;                   ///< read the weights; false compares keys, types and shapes only
  int n_threads = 0;                    ///< 0: default_threads()
  ProgressCallback progress = nullptr;  ///< phase "compare", with bytes of both files; false stops with Status::aborted
};

/// Works on files larger than memory, and on Hugging Face folders. Throws like inspect_file(), and aborted.
FileDiff diff_files(const std::string& a, const std::string& b, const DiffOptions& options = {});

}  // namespace mla
