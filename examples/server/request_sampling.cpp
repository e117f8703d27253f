#include <charconv>
#include <random>

#include "server/request.hpp"

namespace server {
namespace {

std::uint64_t random_seed() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

void add_logit_bias(const Json& bias, int n_vocab, mla::SamplerOptions& options) {
  const auto wrong = [](const std::string& message) { return ApiError(400, message, "logit_bias", "invalid_value"); };
  if (!bias.is_object()) throw wrong("'logit_bias' must be an object from token ids to numbers");
  for (const auto& [key, value] : bias.items()) {
    mla::Token token = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token);
    if (error != std::errc() || end != key.data() + key.size() || token < 0 || token >= n_vocab)
      throw wrong("'" + key + "' in 'logit_bias' is no token id: use 0 to " + std::to_string(n_vocab - 1));
    if (!value.is_number() || std::abs(value.get<double>()) > 100)
      throw wrong("the bias of token " + key + " must be a number from -100 to 100");
    options.logit_bias.emplace_back(token, value.get<float>());
  }
}

}  // namespace

// OpenAI's fields and defaults, and others by the names that people know from elsewhere. Penalties count the answer's own tokens, all of
// them.
mla::SamplerOptions sampler_options(const Fields& fields, int n_vocab) {
  constexpr std::int64_t most = std::int64_t{1} << 62;
  mla::SamplerOptions o;
  const std::int64_t seed = fields.whole("seed", -1, -most, most);
  o.seed = fields.find("seed") != nullptr ? static_cast<std::uint64_t>(seed) : random_seed();
  o.temperature = static_cast<float>(fields.number("temperature", 1, 0, 100));
  o.top_k = static_cast<int>(std::max<std::int64_t>(fields.whole("top_k", 0, -1, 1 << 30), 0));
  o.top_p = static_cast<float>(fields.number("top_p", 1, 0, 1));
  o.min_p = static_cast<float>(fields.number("min_p", 0, 0, 1));
  o.typical_p = static_cast<float>(fields.number("typical_p", 1, 1e-6, 1));
  o.repeat_penalty = static_cast<float>(fields.number("repeat_penalty", 1, 0.01, 100));
  o.presence_penalty = static_cast<float>(fields.number("presence_penalty", 0, -2, 2));
  o.frequency_penalty = static_cast<float>(fields.number("frequency_penalty", 0, -2, 2));
  const bool penalises = o.repeat_penalty != 1 || o.presence_penalty != 0 || o.frequency_penalty != 0;
  o.penalty_last_n = static_cast<int>(fields.whole("repeat_last_n", penalises ? -1 : 0, -1, 1 << 30));
  o.mirostat = fields.whole("mirostat", 0, 0, 2) == 2 ? 2 : 0;
  o.mirostat_tau = static_cast<float>(fields.number("mirostat_tau", 5, 1e-3, 1e3));
  o.mirostat_eta = static_cast<float>(fields.number("mirostat_eta", 0.1, 1e-6, 10));
  if (const Json* const bias = fields.find("logit_bias")) add_logit_bias(*bias, n_vocab, o);
  return o;
}

}  // namespace server
