#include "model/hf_types.hpp"

#include "format/gguf.hpp"
#include "model/quantize_plan.hpp"

namespace mla::model {

HfTypes plan_types(const std::string& folder, const HfTensors& tensors, const format::KeyValues& metadata, const std::string& name,
                   const std::shared_ptr<LogSink>& log) {
  std::vector<format::TensorInfo> infos;
  for (const HfTensor& tensor : tensors.tensors()) {
    format::TensorInfo& info = infos.emplace_back();
    info.name = tensor.name;
    info.shape = tensor.shape;
  }
  const auto as_floats = format::GgufFile::assemble(folder, {}, metadata.entries(), std::move(infos));
  QuantizeOptions options;
  options.type = name;
  options.log = log;
  const QuantizePlan plan = plan_quantization(as_floats, options);
  HfTypes out;
  for (const auto& type : plan.types) out.types.push_back(type.value_or(quant::Type::f32));
  out.file_type = plan.file_type.value_or(0);
  return out;
}

}  // namespace mla::model
