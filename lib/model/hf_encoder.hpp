// Tensors of a Hugging Face folder as blocks of a GGUF type: on several threads, a piece at a time.
#pragma once
#include <functional>
#include <memory>
#include <mla/host.hpp>
#include <span>
#include <vector>

#include "format/safetensors.hpp"
#include "model/hf_tensors.hpp"
#include "quant/types.hpp"

namespace mla::model {

class HfEncoder {
 public:
  /// `files` are those of the tensors, and outlive this. n_threads 0: as many as compute.
  HfEncoder(const format::SafetensorsFolder& files, int n_threads);

  /// Calls sink(blocks) for one piece of the tensor's rows after another. What was read of the files no longer counts as this process's
  /// memory afterwards. Throws what the sink throws, and Error(unsupported) for a type that can't be written.
  void run(const HfTensor& tensor, quant::Type type, const std::function<void(std::span<const std::byte>)>& sink);

  /// The type that the tensor gets where `wanted` is asked for: floats where it is no matrix, F16 where the rows don't fit its blocks.
  static quant::Type type_for(const HfTensor& tensor, quant::Type wanted, LogSink* log);

 private:
  void encode(const HfTensor& tensor, quant::Type type, std::int64_t first, std::int64_t n);

  const format::SafetensorsFolder& files_;
  std::shared_ptr<ThreadPool> pool_;
  std::vector<std::vector<float>> rows_;  // [n_threads]
  std::vector<std::byte> blocks_;
};

}  // namespace mla::model
