// What a Model holds.
#pragma once
#include <mla/model.hpp>
#include <optional>
#include <string>

#include "model/weights.hpp"

namespace mla {

class Model::Impl {
 public:
  Impl(const std::string& path, const ModelOptions& options);

  model::LoadedModel loaded;
  ModelInfo info;
  std::optional<Tokenizer> tokenizer;
  std::string no_tokenizer;  ///< why there is none
  std::string chat_template;
};

}  // namespace mla
