// What is said of a file's keys and tensors.
#pragma once
#include <mla/inspect.hpp>

#include "format/gguf.hpp"

namespace mla::model {

FileInfo::Key describe(const std::string& name, const format::GgufValue& value);
/// n_layers: from which on layers are those of multi-token prediction.
FileInfo::Tensor describe(const format::TensorInfo& tensor, int n_layers);
/// The model's own layers; of files that don't say, more than there can be.
int own_layers(const format::GgufFile& file);

}  // namespace mla::model
