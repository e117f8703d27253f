// Hugging Face folder → GGUF: a list of tensors, then one pass over it.
#include <mla/convert.hpp>

#include <set>

#include "format/gguf_writer.hpp"
#include "model/hf_encoder.hpp"
#include "model/hf_types.hpp"
#include "model/hf_vocabulary.hpp"
#include "platform/fail.hpp"

namespace mla {
namespace {

using model::HfTensor;
using quant::Type;

/// Throws if `output` is one of the files that the model is read from.
void protect_inputs(const std::string& folder, const format::SafetensorsFolder& weights, const std::string& output) {
  std::set<std::string> inputs;
  for (const char* name : {"config.json", "generation_config.json", "model.safetensors.index.json", "tokenizer.json",
                           "tokenizer_config.json", "tiktoken.model", "chat_template.jinja"})
    inputs.insert(folder + "/" + name);
  for (const auto& [name, tensor] : weights.tensors()) inputs.insert(*tensor.path);
  for (const std::string& input : inputs)
    if (platform::is_same_file(input, output))
      fail(Status::invalid_argument, "{}: the output would replace {}, which it is made from: choose another name", output, input);
}

// What is written, and how far it is.
class Progress {
 public:
  Progress(const ConvertOptions& options, const std::string& output) : options_(options), output_(output) {}
  void add_total(std::uint64_t bytes) { total_ += bytes; }
  void add(std::uint64_t bytes) { done_ += bytes; }
  void report(const char* phase) const {
    if (options_.progress && !options_.progress(phase, done_, total_))
      fail(Status::aborted, "converting to {} was stopped: the same command goes on from here", output_);
  }

 private:
  const ConvertOptions& options_;
  const std::string& output_;
  std::uint64_t done_ = 0, total_ = 0;
};

std::uint64_t bytes_of(const HfTensor& tensor, Type type) {
  return static_cast<std::uint64_t>(tensor.rows()) * quant::row_bytes(type, tensor.cols());
}

}  // namespace

void convert_huggingface(const std::string& folder, const std::string& output, const ConvertOptions& options) {
  const model::HfModel model = model::read_hf_config(folder);
  const model::ConfigForm form{.mtp = options.mtp};
  const model::HfTensors source(folder, format::SafetensorsFolder::open(folder), model, form, options.log.get());
  format::KeyValues keys = model::hf_metadata(folder, model, form, options.log.get());
  const auto [types, file_type] = model::plan_types(folder, source, keys, options.type, options.log);
  keys.add_uint("general.file_type", file_type);
  keys.add_uint("general.quantization_version", 2);

  format::GgufWriter writer(output, options.max_part_bytes, platform::Unfinished::kept);
  for (const auto& [key, value] : keys.entries()) writer.add_value(key, value);
  Progress progress(options, output);
  for (std::size_t i = 0; i < types.size(); ++i) {
    const HfTensor& tensor = source.tensors()[i];
    writer.add_tensor(tensor.name, tensor.shape, types[i]);
    progress.add_total(bytes_of(tensor, types[i]));
  }
  protect_inputs(folder, source.files(), output);
  const std::size_t first = writer.begin_data(source.fingerprint(), [&] { progress.report("check"); });
  for (const std::string& path : writer.paths()) protect_inputs(folder, source.files(), path);
  model::HfEncoder encoder(folder, source.files(), options.n_threads);
  for (std::size_t i = 0; i < types.size(); ++i) {
    const HfTensor& tensor = source.tensors()[i];
    if (i < first) {
      progress.add(bytes_of(tensor, types[i]));
      continue;
    }
    encoder.run(tensor, types[i], [&](std::span<const std::byte> blocks) {
      progress.report("convert");
      writer.write(blocks);
      progress.add(blocks.size());
    });
  }
  progress.report("convert");
  writer.finish();
}

}  // namespace mla
