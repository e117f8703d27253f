// Which type each tensor of a file gets when it is quantised.
#pragma once
#include <mla/quantize.hpp>
#include <optional>
#include <vector>

#include "format/gguf.hpp"
#include "quant/types.hpp"

namespace mla::model {

struct QuantizePlan {
  std::vector<std::optional<quant::Type>> types;  ///< of file.tensors(); empty: the tensor is copied as it is
  std::optional<std::uint32_t> file_type;         ///< for metadata key general.file_type; empty: as it was
};

/// Throws Error(invalid_argument) for a type or pattern that makes no sense, or that no tensor matches; bad_file. Says in the log which
/// tensors get another type because their rows don't fit the one they should have.
QuantizePlan plan_quantization(const format::GgufFile& file, const QuantizeOptions& options);

}  // namespace mla::model
