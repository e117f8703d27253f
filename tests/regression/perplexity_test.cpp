// Perplexity of the demo model per weight type, cache type and attention mode: whether a format, or a kernel that reads it,
// costs more than its rounding. Weight types are those that the library can write; the others' bits are checked in tests/quant.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mla/context.hpp>

#include "demo_variant.hpp"

using namespace mla;
using quant::Type;

namespace {

constexpr AttentionMode modes[] = {AttentionMode::automatic, AttentionMode::deepseek2, AttentionMode::deepseek_mla};
constexpr CacheType cache_types[] = {CacheType::f32, CacheType::f16, CacheType::bf16, CacheType::q8_0};
constexpr int n_tokens = 512, first_scored = 32, n_scored = n_tokens - 1 - first_scored;

// The model with its matrices in a type, loaded from a file that nobody needs afterwards.
struct Variant {
  Type type;
  double rounding;  // of the matrices, root mean square, relative
  std::shared_ptr<const Model> model;

  explicit Variant(Type matrices) : type(matrices) {
    const auto path = std::filesystem::temp_directory_path() / ("mla_regression_" + std::to_string(::getpid()) + ".gguf");
    rounding = write_demo_variant(path.string(), {.type = type});
    model = Model::load(path.string());
    std::filesystem::remove(path);  // the mapping stays
  }
};

struct Measured {
  double nll;         // mean negative log-likelihood of the scored tokens: the logarithm of the perplexity
  double logits_rms;
};

Measured measure(const Variant& variant, AttentionMode mode, CacheType cache) {
  static const std::vector<Token> tokens = [&] {
    std::ifstream file(MLA_SOURCE_DIR "/examples/models/heldout.txt");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    auto all = variant.model->tokenizer().encode(text.substr(0, 8 * n_tokens));
    REQUIRE(all.size() >= n_tokens);
    all.resize(n_tokens);
    return all;
  }();
  Context context(variant.model, {.attention = mode, .n_ctx = n_tokens, .cache_type_k = cache, .cache_type_v = cache, .n_threads = 2});
  Batch batch;
  for (int i = 0; i + 1 < n_tokens; ++i) batch.add(tokens[static_cast<std::size_t>(i)], i, 0, i >= first_scored);
  context.decode(batch);
  double nll = 0, squares = 0;
  for (int i = first_scored; i + 1 < n_tokens; ++i) {
    const auto logits = context.logits(i);
    const double top = *std::ranges::max_element(logits);
    double sum = 0;
    for (const float logit : logits) sum += std::exp(logit - top), squares += static_cast<double>(logit) * logit / static_cast<double>(logits.size());
    nll += top + std::log(sum) - logits[static_cast<std::size_t>(tokens[static_cast<std::size_t>(i) + 1])];
  }
  return {nll / n_scored, std::sqrt(squares / n_scored)};
}

// Root mean square of what a cache type rounds off, as a share of the values.
double rounding_of(CacheType type) {
  switch (type) {
    case CacheType::f32: return 0x1p-24 / std::sqrt(3);
    case CacheType::f16: return 0x1p-11 / std::sqrt(3);
    case CacheType::bf16: return 0x1p-8 / std::sqrt(3);
    case CacheType::q8_0: return 3 * 0.5 / 127 / std::sqrt(3);  // the largest of 32 values is two to three times their mean
  }
  return 0;
}

// How far rounding may move the mean negative log-likelihood. Relative errors of one matrix after another add up in squares:
// 9 matrices a layer, the embedding and the output for the weights, one row a layer for the cache. So much is a logit off, as a
// share of the logits; the mean over the tokens by two standard errors of that, and by the half square that rounding costs.
double bound(const Measured& reference, const Variant& variant, CacheType cache) {
  const int n_layers = variant.model->info().n_layers;
  const double relative = std::sqrt((9 * n_layers + 2) * std::pow(variant.rounding, 2) + n_layers * std::pow(rounding_of(cache), 2));
  const double logit = reference.logits_rms * relative, float_sums = 1e-5;
  return 2 * logit / std::sqrt(n_scored) + logit * logit / 2 + float_sums;
}

void check(const Measured& reference, const Variant& variant, AttentionMode mode, CacheType cache) {
  const double difference = measure(variant, mode, cache).nll - reference.nll;
  INFO(quant::traits(variant.type).name << " weights, " << to_string(cache) << " cache, " << to_string(mode) << ": perplexity "
                                        << std::exp(reference.nll) << " times exp(" << difference << ")");
  CHECK(std::abs(difference) < bound(reference, variant, cache));
  if (variant.rounding > 0 || cache != CacheType::f32) CHECK(difference != 0);  // the types are in use
}

}  // namespace

TEST_CASE("perplexity stays within a type's rounding: every cache type and mode, then every weight type") {
  const Variant f32(Type::f32);
  const Measured reference = measure(f32, AttentionMode::deepseek2, CacheType::f32);
  CHECK(std::exp(reference.nll) < 60);
  CHECK(f32.rounding == 0);  // the demo model's values are those of F16
  for (const AttentionMode mode : modes)
    for (const CacheType cache : cache_types) check(reference, f32, mode, cache);
  for (const Type type : {Type::f16, Type::bf16, Type::q8_0}) check(reference, Variant(type), AttentionMode::automatic, CacheType::f16);
}

TEST_CASE("perplexity stays within a type's rounding: every weight type with every cache type and mode", "[.][full]") {
  const Measured reference = measure(Variant(Type::f32), AttentionMode::deepseek2, CacheType::f32);
  for (const Type type : {Type::f32, Type::f16, Type::bf16, Type::q8_0}) {
    const Variant variant(type);
    for (const AttentionMode mode : modes)
      for (const CacheType cache : cache_types) check(reference, variant, mode, cache);
  }
}
