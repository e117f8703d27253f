// Hugging Face model folders to GGUF.
#pragma once
#include <memory>
#include <string>

#include <mla/host.hpp>

namespace mla {

struct ConvertOptions {
  std::string type = "f16";               ///< of the matrices: f32, f16, bf16 or q8_0; norms and routers stay f32
  ProgressCallback progress = nullptr;    ///< phase "convert", bytes of output; false stops with Status::aborted
  std::shared_ptr<LogSink> log = nullptr; ///< what was left out or stored in another type
};

/// Converts a folder with config.json, safetensors (one file, or shards with an index) and, where there is one,
/// tokenizer.json. kv_b_proj becomes attn_k_b and attn_v_b: the layout that llama.cpp reads too. Works tensor by tensor.
/// Throws Error: not_found, io_error, bad_file, unsupported (an architecture, setting, dtype or tensor not known here),
/// invalid_argument (also if `output` is a file of the folder that is read), aborted; names the file and the key or tensor.
/// A run that fails or is stopped leaves no file, and one that was there before as it was.
void convert_huggingface(const std::string& folder, const std::string& output, const ConvertOptions& options = {});

}  // namespace mla
