// The types that the tensors of a Hugging Face folder get.
#pragma once
#include <mla/host.hpp>
#include <memory>
#include <string>
#include <vector>

#include "format/key_values.hpp"
#include "model/hf_tensors.hpp"
#include "quant/types.hpp"

namespace mla::model {

struct HfTypes {
  std::vector<quant::Type> types;  ///< of tensors.tensors(): norms and routers F32
  std::uint32_t file_type = 0;     ///< for metadata key general.file_type
};

/// What mla-quantize would choose for the F32 file of the folder: `name` is one of quantize_types(). Throws Error(invalid_argument) for any other.
HfTypes plan_types(const std::string& folder, const HfTensors& tensors, const format::KeyValues& metadata, const std::string& name,
                   const std::shared_ptr<LogSink>& log);

}  // namespace mla::model
