// What is said of a file's keys and tensors.
#pragma once
#include <mla/inspect.hpp>

#include "format/gguf.hpp"
#include "model/hf_folder.hpp"

namespace mla::model {

/// A GGUF file (options.allow_unknown_types counts), or a Hugging Face folder as the file that it could be.
HfFolder open_to_look(const std::string& path, const format::GgufFile::Options& options = {.allow_unknown_types = true});

FileInfo::Key describe(const std::string& name, const format::GgufValue& value);
/// n_layers: from which on layers are those of multi-token prediction.
FileInfo::Tensor describe(const format::TensorInfo& tensor, int n_layers);
/// The model's own layers; of files that don't say, more than there can be.
int own_layers(const format::GgufFile& file);

}  // namespace mla::model
