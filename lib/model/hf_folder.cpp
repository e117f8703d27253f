#include "model/hf_folder.hpp"

#include <cstring>

#include "model/hf_encoder.hpp"
#include "model/hf_types.hpp"
#include "model/hf_vocabulary.hpp"
#include "platform/fail.hpp"

namespace mla::model {
namespace {

using quant::Type;

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

std::vector<format::TensorInfo> converted(const std::string& folder, const HfTensors& tensors, const std::vector<Type>& types,
                                          const ModelOptions& options, std::vector<platform::Buffer>& memory) {
  std::vector<format::TensorInfo> infos;
  std::uint64_t total = 0, done = 0;
  for (std::size_t i = 0; i < types.size(); ++i) {
    infos.push_back(describe(tensors.tensors()[i], types[i]));
    total += infos.back().bytes;
  }
  const auto report = [&] {
    if (options.progress && !options.progress("convert", done, total)) fail(Status::aborted, "loading {} was cancelled", folder);
  };
  HfEncoder encoder(folder, tensors.files(), options.n_threads);
  for (std::size_t i = 0; i < infos.size(); ++i) {
    platform::Buffer& buffer =
        memory.emplace_back(options.allocator, static_cast<std::size_t>(infos[i].bytes), "weights converted as they are loaded");
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

std::uint64_t HfFolder::memory_bytes() const noexcept {
  std::uint64_t sum = 0;
  for (const platform::Buffer& buffer : memory) sum += buffer.size();
  return sum;
}

HfFolder open_hf_folder(const std::string& folder, const ModelOptions& options) {
  if (!platform::file_exists(folder + "/config.json"))
    fail(Status::io_error, "cannot read {}: it is a folder without config.json; name a GGUF file or a Hugging Face folder", folder);
  const bool convert = !options.load_type.empty();
  const HfModel model = read_hf_config(folder);
  const ConfigForm form{.split_latent = convert};
  HfTensors tensors(folder, format::SafetensorsFolder::open(folder, {options.use_mmap || convert, options.allocator, options.progress}),
                    model, form, options.log.get());
  const format::KeyValues keys = hf_metadata(folder, model, form, options.log.get());
  HfFolder out;
  std::vector<format::TensorInfo> infos =
      convert ? converted(folder, tensors, plan_types(folder, tensors, keys, options.load_type, options.log).types, options, out.memory)
              : in_place(tensors, options, out.memory);
  std::vector<platform::FileView> files;
  if (!convert) {
    files = std::move(tensors).take_files();
    out.scales = std::move(tensors).take_scales();
  }
  out.file = format::GgufFile::assemble(folder, std::move(files), keys.entries(), std::move(infos));
  return out;
}

}  // namespace mla::model
