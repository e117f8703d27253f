// How likely the model held a token, in OpenAI's terms.
#pragma once
#include <span>

#include "server/answer_stream.hpp"

namespace server {

/// `chosen` and the n likeliest tokens of [n_vocab] logits, by logarithms of softmax probabilities; equal ones by token id.
LogprobEntry logprobs_of(std::span<const float> logits, mla::Token chosen, int n);

}  // namespace server
