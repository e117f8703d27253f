// Hugging Face model folders to GGUF.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include <mla/host.hpp>

namespace mla {

struct ConvertOptions {
  std::string type = "f16";               ///< of the matrices: f32, f16, bf16 or q8_0; norms and routers stay f32
  bool mtp = false;                       ///< keep the layers of multi-token prediction, as blk.N.nextn.*, which ordinary decoding doesn't use
  std::uint64_t max_part_bytes = 0;       ///< 0: one file; else parts NAME-00001-of-0000N.gguf of at most so many bytes, cut between tensors
  int n_threads = 0;                      ///< 0: the processors this process may use
  ProgressCallback progress = nullptr;    ///< phase "convert", bytes of output ("check" where an earlier run's are read back); false stops with Status::aborted
  std::shared_ptr<LogSink> log = nullptr; ///< what was left out or stored in another type
};

/// Converts a folder with config.json, safetensors (one file, or shards with an index; F32, F16, BF16, or F8_E4M3 with scales of 128 × 128
/// blocks) and, where there is one, tokenizer.json or tiktoken.model. kv_b_proj becomes attn_k_b and attn_v_b: the layout that llama.cpp
/// reads too. Works piece by piece.
/// Throws Error: not_found, io_error, bad_file, unsupported (an architecture, setting, dtype or tensor not known here),
/// invalid_argument (also if `output` is a file of the folder that is read), aborted; names the file and the key or tensor.
/// The file appears when it is whole; one that was there before stays as it was until then. A run that fails or is stopped in the middle
/// leaves `output`.part and `output`.part.journal, from which the same call goes on, once it has read back what is there.
void convert_huggingface(const std::string& folder, const std::string& output, const ConvertOptions& options = {});

}  // namespace mla
