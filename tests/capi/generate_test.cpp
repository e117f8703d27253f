// The C API computes what the C++ API computes.
#include <algorithm>
#include <cmath>
#include <cstring>

#include <mla/context.hpp>
#include <mla/sampler.hpp>

#include "capi/demo.hpp"

namespace {

void check_equal(const std::vector<float>& c, std::span<const float> cpp) {
  REQUIRE(c.size() == cpp.size());
  std::size_t worst = 0;
  for (std::size_t i = 0; i < c.size(); ++i)
    if (!(std::abs(c[i] - cpp[i]) <= std::abs(c[worst] - cpp[worst]))) worst = i;
  INFO("worst at " << worst << ": C " << c[worst] << ", C++ " << cpp[worst]);
  CHECK(std::memcmp(c.data(), cpp.data(), c.size() * sizeof(float)) == 0);
}

}  // namespace

TEST_CASE("generating through C gives the logits, tokens and text of C++") {
  const std::string prompt = "In the beginning God created the heaven and the earth.";
  const auto cpp_model = mla::Model::load(demo::path());
  // One form of attention: each model measures for itself which one `auto` takes.
  mla::Context cpp_context(cpp_model, {.attention = mla::AttentionMode::deepseek_mla, .n_threads = 2});
  mla::Sampler cpp_sampler({.seed = 42});
  mla::TextStream cpp_stream(cpp_model->tokenizer());

  const demo::Model model = demo::load();
  mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
  options.attention = MLA_ATTENTION_DEEPSEEK_MLA, options.n_threads = 2;
  const demo::Context context = demo::make_context(model, &options);
  CHECK(mla_context_n_threads(context.get()) == 2);
  mla_sampler_options sampling = MLA_SAMPLER_OPTIONS_INIT;
  sampling.seed = 42;
  mla_sampler* sampler = nullptr;
  demo::ok(mla_sampler_new(&sampler, &sampling));
  const demo::Sampler sampler_owner(sampler);
  mla_text_stream* stream = nullptr;
  demo::ok(mla_text_stream_new(&stream, demo::tokenizer(model), 0));
  const demo::Stream stream_owner(stream);

  mla_token* encoded = nullptr;
  std::size_t n_encoded = 0;
  demo::ok(mla_tokenizer_encode(&encoded, &n_encoded, demo::tokenizer(model), prompt.c_str(), MLA_NUL_TERMINATED, 0));
  std::vector<mla_token> next(encoded, encoded + n_encoded);
  mla_free(encoded);
  std::vector<mla::Token> cpp_next = cpp_model->tokenizer().encode(prompt);
  CHECK(next == cpp_next);

  std::string text, cpp_text;
  mla::Position position = 0;
  for (int i = 0; i < 24; ++i) {
    const mla_batch batch = demo::batch_of(next);
    demo::ok(mla_context_decode(context.get(), &batch));
    cpp_context.decode(mla::Batch::of(cpp_next, position));
    position += static_cast<mla::Position>(cpp_next.size());
    const std::vector<float> logits = demo::logits(model, context);
    check_equal(logits, cpp_context.logits());

    mla_token token = -1;
    demo::ok(mla_sampler_sample(&token, sampler, logits.data(), static_cast<int32_t>(logits.size())));
    CHECK(token == cpp_sampler.sample(cpp_context.logits()));
    demo::ok(mla_sampler_accept(sampler, token));
    cpp_sampler.accept(token);
    const char* piece = nullptr;
    demo::ok(mla_text_stream_push(&piece, nullptr, stream, token));
    text += piece;
    cpp_text += cpp_stream.push(token);
    next = cpp_next = {token};
  }
  CHECK(text == cpp_text);
  CHECK_FALSE(text.empty());
  CHECK(mla_kv_cache_seq_len(mla_context_cache(context.get()), 0) == position);
}

TEST_CASE("a batch with all its fields: sequences, positions and chosen logits") {
  const demo::Model model = demo::load();
  const demo::Context context = demo::make_context(model), apart = demo::make_context(model);
  const std::vector<mla_token> tokens = demo::some_tokens(model, 6);
  const mla_position positions[] = {0, 1, 2, 0, 1, 2};
  const mla_sequence_id sequences[] = {3, 3, 3, 8, 8, 8};
  const std::uint8_t wanted[] = {0, 0, 1, 0, 1, 0};
  mla_batch batch = demo::batch_of(tokens);
  batch.positions = positions, batch.sequences = sequences, batch.logits = wanted;
  demo::ok(mla_context_decode(context.get(), &batch));
  const float *row2 = nullptr, *row4 = nullptr, *last = nullptr, *none = nullptr;
  demo::ok(mla_context_logits_of_row(&row2, context.get(), 2));
  demo::ok(mla_context_logits_of_row(&row4, context.get(), 4));
  demo::ok(mla_context_logits(&last, context.get()));
  CHECK(last == row4);
  const std::vector<float> in_company(row2, row2 + demo::n_vocab(model));
  CHECK(mla_context_logits_of_row(&none, context.get(), 5) == MLA_INVALID_ARGUMENT);
  CHECK(none == nullptr);

  // Left out, positions go on where each sequence ended, also for two sequences in turns.
  const mla_sequence_id in_turns[] = {3, 8, 3, 8};
  batch.n = 4, batch.positions = nullptr, batch.sequences = in_turns, batch.logits = nullptr;
  demo::ok(mla_context_decode(context.get(), &batch));
  mla_kv_cache* cache = mla_context_cache(context.get());
  CHECK(mla_kv_cache_seq_len(cache, 3) == 5);
  CHECK(mla_kv_cache_seq_pos_max(cache, 3) == 4);
  CHECK(mla_kv_cache_seq_pos_max(cache, 8) == 4);
  CHECK(mla_kv_cache_seq_len(cache, 0) == 0);

  // Row 2 ended tokens 0 to 2; alone they give the same logits but for the order of sums.
  const std::vector<mla_token> first(tokens.begin(), tokens.begin() + 3);
  const mla_batch of_first = demo::batch_of(first);
  demo::ok(mla_context_decode(apart.get(), &of_first));
  const std::vector<float> expected = demo::logits(model, apart);
  const auto largest = [](const std::vector<float>& v) { return std::max_element(v.begin(), v.end()) - v.begin(); };
  CHECK(largest(in_company) == largest(expected));
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    error += std::pow(static_cast<double>(in_company[i]) - expected[i], 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  CHECK(std::sqrt(error / norm) < 1e-3);  // the cache rounds to f16, 2^-11
}

TEST_CASE("a cache of the host's own: shape, bytes, sequences") {
  const demo::Model model = demo::load();
  mla_cache_shape shape = MLA_CACHE_SHAPE_INIT;
  demo::ok(mla_model_cache_shape(&shape, model.get()));
  mla_kv_cache_options options = MLA_KV_CACHE_OPTIONS_INIT;
  options.n_ctx = 100;
  mla_kv_cache* cache = nullptr;
  demo::ok(mla_kv_cache_new(&cache, &shape, &options));
  const demo::Cache owner(cache);
  std::uint64_t capacity = 0;
  demo::ok(mla_kv_cache_bytes_at_capacity(&capacity, &shape, &options));
  CHECK(mla_kv_cache_n_pages(cache) == 2);
  CHECK(mla_kv_cache_row_bytes(cache) == std::uint64_t(shape.n_layers) * (std::uint64_t(shape.n_latent + shape.n_rope) * 2 + 2 * 4));
  CHECK(capacity == 128 * mla_kv_cache_row_bytes(cache));
  CHECK(mla_kv_cache_bytes(cache) == 0);

  mla_context_options with_cache = MLA_CONTEXT_OPTIONS_INIT;
  with_cache.cache = cache;
  const demo::Context context = demo::make_context(model, &with_cache);
  const std::vector<mla_token> tokens = demo::some_tokens(model, 70);
  const mla_batch batch = demo::batch_of(tokens);
  demo::ok(mla_context_decode(context.get(), &batch));
  CHECK(mla_kv_cache_n_pages_used(cache) == 2);
  CHECK(mla_kv_cache_bytes(cache) == capacity);
  CHECK(mla_context_decode(context.get(), &batch) == MLA_CACHE_FULL);
  CHECK(mla_kv_cache_seq_len(cache, 0) == 70);

  std::int32_t removed = -1;
  demo::ok(mla_kv_cache_seq_rm(&removed, cache, 0, 60, -1));
  CHECK(removed == 1);
  demo::ok(mla_kv_cache_seq_rm(&removed, cache, 0, 60, -1));
  CHECK(removed == 0);
  demo::ok(mla_kv_cache_seq_cp(cache, 0, 5, 10, 40));
  CHECK(mla_kv_cache_seq_len(cache, 5) == 30);
  CHECK(mla_kv_cache_seq_pos_min(cache, 5) == 10);
  demo::ok(mla_kv_cache_seq_keep(cache, 5));
  CHECK(mla_kv_cache_seq_len(cache, 0) == 0);
  demo::ok(mla_kv_cache_clear(cache));
  CHECK(mla_kv_cache_n_pages_used(cache) == 0);
}

TEST_CASE("sampler options of C reach the sampler, with zero as the default") {
  const std::vector<float> logits = {1.0f, 2.0f, 3.0f, 2.5f, -1.0f};
  const auto probabilities = [&](const mla_sampler_options* options, const mla::SamplerOptions& expected) {
    mla_sampler* sampler = nullptr;
    demo::ok(mla_sampler_new(&sampler, options));
    const demo::Sampler owner(sampler);
    for (const mla_token token : {2, 2, 3}) demo::ok(mla_sampler_accept(sampler, token));
    mla_token_probability* candidates = nullptr;
    std::size_t n = 0;
    demo::ok(mla_sampler_probabilities(&candidates, &n, sampler, logits.data(), static_cast<int32_t>(logits.size())));
    mla::Sampler cpp(expected);
    for (const mla_token token : {2, 2, 3}) cpp.accept(token);
    const auto wanted = cpp.probabilities(logits);
    REQUIRE(n == wanted.size());
    for (std::size_t i = 0; i < n; ++i) {
      CHECK(candidates[i].token == wanted[i].token);
      CHECK(candidates[i].probability == wanted[i].probability);
    }
    mla_free(candidates);
  };
  probabilities(nullptr, {});
  mla_sampler_options options = MLA_SAMPLER_OPTIONS_INIT;
  options.temperature = 2, options.top_k = -1, options.top_p = 1, options.min_p = -1;
  probabilities(&options, {.temperature = 2, .top_k = 0, .top_p = 1, .min_p = 0});
  options.top_k = 3, options.typical_p = 0.5f, options.repeat_penalty = 1.5f;
  probabilities(&options, {.temperature = 2, .top_k = 3, .top_p = 1, .min_p = 0, .typical_p = 0.5f, .repeat_penalty = 1.5f});
  options = MLA_SAMPLER_OPTIONS_INIT;
  options.presence_penalty = 0.5f, options.frequency_penalty = 0.25f, options.penalty_last_n = 2;
  probabilities(&options, {.presence_penalty = 0.5f, .frequency_penalty = 0.25f, .penalty_last_n = 2});
  options = MLA_SAMPLER_OPTIONS_INIT;
  options.greedy = 1;
  probabilities(&options, {.temperature = 0});
  options = MLA_SAMPLER_OPTIONS_INIT;
  options.mirostat = 2, options.mirostat_tau = 1.5f, options.mirostat_eta = 0.2f;
  probabilities(&options, {.mirostat = 2, .mirostat_tau = 1.5f, .mirostat_eta = 0.2f});
  const mla_logit_bias bias[] = {{2, -INFINITY}, {0, 1.5f}};
  options = MLA_SAMPLER_OPTIONS_INIT;
  options.logit_bias = bias, options.n_logit_bias = 2;
  probabilities(&options, {.logit_bias = {{2, -INFINITY}, {0, 1.5f}}});
}

TEST_CASE("a mask callback bans tokens, and stops sampling if it says so") {
  const std::vector<float> logits = {1, 2, 3, 4};
  int answer = 0;
  mla_sampler_options options = MLA_SAMPLER_OPTIONS_INIT;
  options.mask = [](void* data, float* values, int32_t n_vocab) {
    for (int32_t i = 0; i < n_vocab; ++i)
      if (i != 1) values[i] = -INFINITY;
    return *static_cast<int*>(data);
  };
  options.mask_user_data = &answer;
  mla_sampler *sampler = nullptr, *copy = nullptr;
  demo::ok(mla_sampler_new(&sampler, &options));
  const demo::Sampler owner(sampler);
  mla_token token = -1;
  demo::ok(mla_sampler_sample(&token, sampler, logits.data(), 4));
  CHECK(token == 1);
  answer = 1;
  CHECK(mla_sampler_sample(&token, sampler, logits.data(), 4) == MLA_ABORTED);
  CHECK(token == -1);
  demo::ok(mla_sampler_copy(&copy, sampler));
  const demo::Sampler copy_owner(copy);
  answer = 0;
  demo::ok(mla_sampler_reset(copy));
  demo::ok(mla_sampler_sample(&token, copy, logits.data(), 4));
  CHECK(token == 1);
}
