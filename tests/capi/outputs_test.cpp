// Embeddings, memory and timings through C.
#include <mla/mla_experimental.h>

#include <cmath>
#include <mla/model.hpp>
#include <numeric>

#include "capi/demo.hpp"
#include "engine/model_impl.hpp"
#include "kernels/matmul.hpp"

namespace {

/// The output matrix times a vector, in double.
std::vector<double> output_times(const mla::Model& model, const float* x) {
  const mla::kernels::Matrix& matrix = model.impl().loaded.output;
  std::vector<float> row(static_cast<std::size_t>(matrix.cols));
  std::vector<double> y;
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    mla::kernels::dequantize_part(matrix, r, 0, matrix.cols, row.data());
    y.push_back(std::inner_product(row.begin(), row.end(), x, 0.0));
  }
  return y;
}

int n_embd(const demo::Model& model) {
  mla_model_info info = MLA_MODEL_INFO_INIT;
  demo::ok(mla_model_get_info(&info, model.get()));
  return info.n_embd;
}

std::vector<float> embedding(const demo::Model& model, const demo::Context& context, int row) {
  const float* values = nullptr;
  demo::ok(mla_context_embedding(&values, context.get(), row));
  return {values, values + n_embd(model)};
}

}  // namespace

TEST_CASE("the output matrix turns an embedding into the logits of its row") {
  const auto reference = mla::Model::load(demo::path(), {.repack = mla::RepackMode::never});
  const demo::Model model = demo::load();
  const demo::Context context = demo::make_context(model);
  const auto tokens = demo::some_tokens(model, 30);
  std::vector<uint8_t> logits(30, 0), keep(30, 0);
  logits[11] = logits[29] = keep[11] = keep[12] = 1;
  mla_batch batch = demo::batch_of(tokens);
  batch.logits = logits.data(), batch.keep_embedding = keep.data();
  demo::ok(mla_context_decode(context.get(), &batch));

  const float* actual = nullptr;
  demo::ok(mla_context_logits_of_row(&actual, context.get(), 11));
  const std::vector<double> expected = output_times(*reference, embedding(model, context, 11).data());
  double largest = 0, difference = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    difference = std::max(difference, std::abs(expected[i] - static_cast<double>(actual[i])));
  }
  CHECK(largest > 1);
  CHECK(difference < largest * n_embd(model) * 0x1p-23);  // sums in f32

  CHECK(embedding(model, context, 12) != embedding(model, context, 11));
  for (const int row : {0, 29, 30, -1}) {
    CHECK(mla_context_embedding(&actual, context.get(), row) == MLA_INVALID_ARGUMENT);
    CHECK(actual == nullptr);
  }
}

TEST_CASE("embeddings don't depend on how a batch is cut, nor on logits beside them") {
  const demo::Model model = demo::load();
  mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
  options.n_ubatch = 7;
  const demo::Context cut = demo::make_context(model, &options);
  const auto tokens = demo::some_tokens(model, 20);
  const std::vector<uint8_t> all(20, 1), none(20, 0);
  const std::vector<mla_sequence_id> alternating = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
  mla_batch batch = demo::batch_of(tokens);
  batch.sequences = alternating.data(), batch.logits = none.data(), batch.keep_embedding = all.data();
  demo::ok(mla_context_decode(cut.get(), &batch));
  const float* logits = nullptr;
  CHECK(mla_context_logits(&logits, cut.get()) == MLA_INVALID_ARGUMENT);

  for (int sequence = 0; sequence < 2; ++sequence) {
    std::vector<mla_token> own;
    for (std::size_t i = static_cast<std::size_t>(sequence); i < tokens.size(); i += 2) own.push_back(tokens[i]);
    mla_batch whole = demo::batch_of(own);
    whole.keep_embedding = all.data();
    const demo::Context alone = demo::make_context(model);
    demo::ok(mla_context_decode(alone.get(), &whole));
    for (int i = 0; i < 10; ++i) {
      const auto expected = embedding(model, alone, i), actual = embedding(model, cut, 2 * i + sequence);
      double difference = 0, norm = 0;
      for (std::size_t k = 0; k < expected.size(); ++k) {
        difference += std::pow(static_cast<double>(expected[k]) - static_cast<double>(actual[k]), 2);
        norm += std::pow(static_cast<double>(expected[k]), 2);
      }
      CHECK(std::sqrt(difference / norm) < 1e-2);  // other kernels for 3 rows than for 10, on a cache of f16
    }
  }
}

TEST_CASE("the memory that was foretold is the memory that is held") {
  const demo::Model model = demo::load();
  mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
  options.n_ctx = 256, options.n_threads = 2;
  mla_memory_need need = MLA_MEMORY_NEED_INIT;
  demo::ok(mla_context_memory_need(&need, demo::path().c_str(), &options));
  const demo::Context context = demo::make_context(model, &options);
  const auto tokens = demo::some_tokens(model, 256);
  const mla_batch batch = demo::batch_of(tokens);
  demo::ok(mla_context_decode(context.get(), &batch));
  CHECK(mla_context_bytes(context.get()) <= need.context);
  CHECK(mla_context_bytes(context.get()) >= need.context * 9 / 10);
  CHECK(mla_kv_cache_bytes(mla_context_cache(context.get())) == need.cache);
  mla_model_info info = MLA_MODEL_INFO_INIT;
  demo::ok(mla_model_get_info(&info, model.get()));
  CHECK(need.weights == info.weight_bytes);
  CHECK(std::string(need.limit) != "");
}

TEST_CASE("rates decide which form of attention auto takes, and can be had") {
  const demo::Model model = demo::load();
  const auto tokens = demo::some_tokens(model, 40);
  const auto logits_of = [&](mla_attention_mode mode, const mla_attention_rates* rates, mla_attention_rates* found = nullptr) {
    mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
    options.attention = mode, options.n_threads = 2, options.attention_rates = rates;
    const demo::Context context = demo::make_context(model, &options);
    const mla_batch batch = demo::batch_of(tokens);
    demo::ok(mla_context_decode(context.get(), &batch));
    if (found != nullptr) demo::ok(mla_context_attention_rates(found, context.get()));
    return demo::logits(model, context);
  };
  mla_attention_rates absorbed = MLA_ATTENTION_RATES_INIT, expanded = absorbed, found = absorbed;
  absorbed.expanded_pair = 2, absorbed.absorbed_pair = 1;
  expanded.expanded_pair = 1, expanded.absorbed_pair = 2;
  const auto always_absorbed = logits_of(MLA_ATTENTION_DEEPSEEK_MLA, nullptr, &found);
  CHECK((found.expanded_pair == 0 && found.absorbed_pair == 0));
  CHECK(logits_of(MLA_ATTENTION_AUTO, &absorbed, &found) == always_absorbed);
  CHECK((found.expanded_pair == 2 && found.absorbed_pair == 1 && found.absorbed_query == 0));
  CHECK(logits_of(MLA_ATTENTION_AUTO, &expanded) != always_absorbed);

  const auto measured = logits_of(MLA_ATTENTION_AUTO, nullptr, &found);
  CHECK((found.expanded_pair > 0 && found.absorbed_pair > 0));
  CHECK(logits_of(MLA_ATTENTION_AUTO, &found) == measured);

  mla_context* refused = nullptr;
  mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
  absorbed.absorbed_query = std::nan(""), options.attention_rates = &absorbed;
  CHECK(mla_context_new(&refused, model.get(), &options) == MLA_INVALID_ARGUMENT);
  CHECK_THAT(mla_last_error(), Catch::Matchers::Contains("attention rate"));
}

TEST_CASE("a cache tells how it was made") {
  const demo::Model model = demo::load();
  mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
  options.attention = MLA_ATTENTION_DEEPSEEK2, options.cache_type_v = MLA_CACHE_TYPE_F32, options.n_ctx = 100;
  const demo::Context context = demo::make_context(model, &options);
  mla_kv_cache_options made = MLA_KV_CACHE_OPTIONS_INIT;
  demo::ok(mla_kv_cache_get_options(&made, mla_context_cache(context.get())));
  CHECK(made.layout == MLA_CACHE_EXPANDED);
  CHECK(made.n_ctx == 100);
  CHECK(made.type_k == MLA_CACHE_TYPE_Q16_ROW);
  CHECK(made.type_v == MLA_CACHE_TYPE_F32);
  mla_cache_shape of_model = MLA_CACHE_SHAPE_INIT, of_cache = MLA_CACHE_SHAPE_INIT;
  demo::ok(mla_model_cache_shape(&of_model, model.get()));
  demo::ok(mla_kv_cache_shape(&of_cache, mla_context_cache(context.get())));
  CHECK(of_model.n_latent == of_cache.n_latent);
  CHECK(of_model.n_layers == of_cache.n_layers);
}

TEST_CASE("timings are kept when asked for, and random rows fill a cache") {
  const demo::Model model = demo::load();
  const demo::Context context = demo::make_context(model);
  demo::ok(mla_kv_cache_fill_random(mla_context_cache(context.get()), 0, 100, 1));
  CHECK(mla_kv_cache_seq_len(mla_context_cache(context.get()), 0) == 100);
  const auto timed_names = [&] {
    const auto tokens = demo::some_tokens(model, 5);
    const mla_batch batch = demo::batch_of(tokens);
    demo::ok(mla_context_decode(context.get(), &batch));
    mla_op_timing* timings = nullptr;
    size_t n = 0;
    demo::ok(mla_context_op_timings(&timings, &n, context.get()));
    std::vector<std::string> names;
    for (size_t i = 0; i < n; ++i) names.emplace_back(timings[i].seconds >= 0 && timings[i].calls > 0 ? timings[i].name : "?");
    mla_free(timings);
    return names;
  };
  CHECK(timed_names().empty());
  demo::ok(mla_context_time_ops(context.get(), 1));
  const auto names = timed_names();
  CHECK(names.front() == "embed");
  CHECK(names.back() == "output");
  CHECK(std::find(names.begin(), names.end(), "?") == names.end());
  demo::ok(mla_context_time_ops(context.get(), 0));
  demo::ok(mla_context_reset_op_timings(context.get()));
  CHECK(timed_names().empty());
}
