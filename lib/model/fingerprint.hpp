// A number that tells one model from another, at the cost of a few bytes of each tensor.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "format/gguf.hpp"

namespace mla::model {

/// Never 0. Made of the metadata with its overrides, names, types and shapes of the tensors, and 64 bytes from the middle of each.
std::uint64_t fingerprint(const format::GgufFile& file, const std::map<std::string, std::string>& overrides);

}  // namespace mla::model
