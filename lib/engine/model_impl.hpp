// What a Model holds.
#pragma once
#include <mla/model.hpp>
#include <optional>
#include <string>

#include "model/weights.hpp"

namespace mla {

class Model::Impl {
 public:
  /// `owner` keeps what `model` points into, if that isn't its own.
  Impl(model::LoadedModel model, const ModelOptions& options, std::shared_ptr<const void> owner = nullptr);

  std::shared_ptr<const void> owner;
  model::LoadedModel loaded;
  ModelInfo info;
  std::optional<Tokenizer> tokenizer;
  std::string no_tokenizer;  ///< why there is none
  std::string chat_template;
};

}  // namespace mla
