#include "model/hf_folder.hpp"

#include <cstring>

#include "model/hf_encoder.hpp"
#include "model/hf_vocabulary.hpp"
#include "platform/fail.hpp"
#include "quant/quantize.hpp"

namespace mla::model {
namespace {

using quant::Type;

format::KeyValues metadata(const std::string& folder, const HfModel& model, ConfigForm form, const ModelOptions& options) {
  format::KeyValues keys;
  write_general(keys, folder);
  write_config(keys, model.config, form);
  write_hf_vocabulary(keys, folder, model.config.n_vocab, options.log.get());
  return keys;
}

format::TensorInfo describe(const HfTensor& tensor, Type type) {
  format::TensorInfo info;
  info.name = tensor.name;
  info.shape = tensor.shape;
  info.type = static_cast<std::uint32_t>(type);
  info.bytes = static_cast<std::uint64_t>(tensor.rows()) * quant::row_bytes(type, tensor.cols());
  return info;
}

// Products read floats where they are, which must be a multiple of their size; 16-bit and 8-bit values may be anywhere.
kernels::Matrix aligned(kernels::Matrix matrix, const ModelOptions& options, std::vector<platform::Buffer>& memory) {
  if (matrix.type != Type::f32 || reinterpret_cast<std::uintptr_t>(matrix.data) % alignof(float) == 0) return matrix;
  platform::Buffer& copy = memory.emplace_back(options.allocator, matrix.bytes(), "weights at odd addresses");
  std::memcpy(copy.data(), matrix.data, matrix.bytes());
  matrix.data = copy.data();
  return matrix;
}

std::vector<format::TensorInfo> in_place(const HfTensors& tensors, const ModelOptions& options, std::vector<platform::Buffer>& memory) {
  std::vector<format::TensorInfo> infos;
  for (const HfTensor& tensor : tensors.tensors()) {
    format::TensorInfo& info = infos.emplace_back(describe(tensor, tensor.sources[0].type));
    for (const kernels::Matrix& source : tensor.sources) {
      const kernels::Matrix matrix = aligned(source, options, memory);
      info.pieces.push_back({matrix.data, matrix.scales.first});
    }
    info.data = info.pieces.front().data;
  }
  return infos;
}

std::vector<format::TensorInfo> converted(const std::string& folder, const HfTensors& tensors, const ModelOptions& options, std::vector<platform::Buffer>& memory) {
  const Type wanted = load_type(options);
  std::vector<format::TensorInfo> infos;
  std::uint64_t total = 0, done = 0;
  for (const HfTensor& tensor : tensors.tensors()) {
    infos.push_back(describe(tensor, HfEncoder::type_for(tensor, wanted, options.log.get())));
    total += infos.back().bytes;
  }
  const auto report = [&] {
    if (options.progress && !options.progress("convert", done, total)) fail(Status::aborted, "loading {} was cancelled", folder);
  };
  HfEncoder encoder(tensors.files(), options.n_threads);
  for (std::size_t i = 0; i < infos.size(); ++i) {
    platform::Buffer& buffer = memory.emplace_back(options.allocator, static_cast<std::size_t>(infos[i].bytes), "weights converted as they are loaded");
    std::byte* to = buffer.data();
    infos[i].data = to;
    encoder.run(tensors.tensors()[i], static_cast<Type>(infos[i].type), [&](std::span<const std::byte> blocks) {
      report();
      std::memcpy(to, blocks.data(), blocks.size());
      to += blocks.size();
      done += blocks.size();
    });
  }
  report();
  return infos;
}

}  // namespace

Type load_type(const ModelOptions& options) {
  const auto type = quant::parse_type(options.load_type);
  if (!type || !quant::can_quantize(*type)) fail(Status::invalid_argument, "ModelOptions::load_type is '{}', which this version can't write", options.load_type);
  return *type;
}

HfFolder open_hf_folder(const std::string& folder, const ModelOptions& options) {
  const bool convert = !options.load_type.empty();
  if (convert) (void)load_type(options);  // before anything is opened
  const HfModel model = read_hf_config(folder);
  const ConfigForm form{.split_latent = convert};
  HfTensors tensors(folder, format::SafetensorsFolder::open(folder, {options.use_mmap || convert, options.allocator, options.progress}), model, form, options.log.get());
  const format::KeyValues keys = metadata(folder, model, form, options);
  HfFolder out;
  std::vector<format::TensorInfo> infos = convert ? converted(folder, tensors, options, out.memory) : in_place(tensors, options, out.memory);
  std::vector<platform::FileView> files;
  if (!convert) {
    files = std::move(tensors).take_files();
    out.scales = std::move(tensors).take_scales();
  }
  out.file = format::GgufFile::assemble(folder, std::move(files), keys.entries(), std::move(infos));
  return out;
}

}  // namespace mla::model
