#include <mla/sampler.hpp>

#include <algorithm>

#include <mla/error.hpp>

#include "guard.hpp"
#include "handles.hpp"

using namespace mla::capi;

namespace {

template <typename T>
void set_unless_zero(T& option, T given) {
  if (given != T{}) option = given;
}

mla::LogitsCallback adapt(mla_mask_fn mask, void* user_data) {
  if (mask == nullptr) return {};
  return [=](std::span<float> logits) {
    if (mask(user_data, logits.data(), static_cast<int32_t>(logits.size())) != 0)
      throw mla::Error(mla::Status::aborted, "the sampler's mask callback asked to stop");
  };
}

mla::SamplerOptions translate(const mla_sampler_options& given) {
  mla::SamplerOptions options;
  options.seed = given.seed;
  set_unless_zero(options.temperature, given.temperature);
  if (given.greedy != 0) options.temperature = 0;
  if (given.top_k != 0) options.top_k = given.top_k == -1 ? 0 : given.top_k;
  set_unless_zero(options.top_p, given.top_p);
  if (given.min_p != 0) options.min_p = given.min_p == -1 ? 0 : given.min_p;
  set_unless_zero(options.typical_p, given.typical_p);
  set_unless_zero(options.repeat_penalty, given.repeat_penalty);
  options.presence_penalty = given.presence_penalty;
  options.frequency_penalty = given.frequency_penalty;
  set_unless_zero(options.penalty_last_n, given.penalty_last_n);
  options.mirostat = given.mirostat;
  set_unless_zero(options.mirostat_tau, given.mirostat_tau);
  set_unless_zero(options.mirostat_eta, given.mirostat_eta);
  for (const mla_logit_bias& entry : array(given.logit_bias, given.n_logit_bias, "logit_bias"))
    options.logit_bias.emplace_back(entry.token, entry.bias);
  options.mask = adapt(given.mask, given.mask_user_data);
  return options;
}

std::span<const float> checked_logits(const float* logits, int32_t n_vocab) {
  if (n_vocab < 1) throw Misuse{"n_vocab is " + std::to_string(n_vocab)};
  return array(logits, static_cast<std::size_t>(n_vocab), "logits");
}

}  // namespace

mla_status mla_sampler_new(mla_sampler** out, const mla_sampler_options* options) {
  return guarded(__func__, [&] {
    clear_out(out);
    *out = new mla_sampler{mla::Sampler(translate(read_struct(options, "mla_sampler_options")))};
  });
}

void mla_sampler_free(mla_sampler* sampler) { free_unless_busy(__func__, sampler, "the sampler"); }

mla_status mla_sampler_copy(mla_sampler** out, const mla_sampler* sampler) {
  return guarded(__func__, [&] {
    clear_out(out);
    const mla_sampler& handle = not_null(sampler, "sampler");
    const Turn turn(handle.busy, "the sampler");
    *out = new mla_sampler{handle.sampler};
  });
}

mla_status mla_sampler_sample(mla_token* out, mla_sampler* sampler, const float* logits, int32_t n_vocab) {
  return guarded(__func__, [&] {
    not_null(out, "the out-parameter") = -1;
    mla_sampler& handle = not_null(sampler, "sampler");
    const Turn turn(handle.busy, "the sampler");
    *out = handle.sampler.sample(checked_logits(logits, n_vocab));
  });
}

mla_status mla_sampler_probabilities(mla_token_probability** out, size_t* n_out, mla_sampler* sampler, const float* logits,
                                     int32_t n_vocab) {
  return guarded(__func__, [&] {
    clear_out(out), clear_out(n_out);
    mla_sampler& handle = not_null(sampler, "sampler");
    const Turn turn(handle.busy, "the sampler");
    const auto candidates = handle.sampler.probabilities(checked_logits(logits, n_vocab));
    auto* memory = static_cast<mla_token_probability*>(new_memory(candidates.size() * sizeof(mla_token_probability)));
    std::ranges::transform(candidates, memory, [](const mla::TokenProbability& c) {
      return mla_token_probability{c.token, c.probability};
    });
    *out = memory;
    *n_out = candidates.size();
  });
}

mla_status mla_sampler_accept(mla_sampler* sampler, mla_token token) {
  return guarded(__func__, [&] {
    mla_sampler& handle = not_null(sampler, "sampler");
    const Turn turn(handle.busy, "the sampler");
    handle.sampler.accept(token);
  });
}

mla_status mla_sampler_reset(mla_sampler* sampler) {
  return guarded(__func__, [&] {
    mla_sampler& handle = not_null(sampler, "sampler");
    const Turn turn(handle.busy, "the sampler");
    handle.sampler.reset();
  });
}

double mla_sampler_mirostat_mu(const mla_sampler* sampler) {
  return property(__func__, -1.0, [&] { return not_null(sampler, "sampler").sampler.mirostat_mu(); });
}
