// Perplexity of the demo model per weight type, cache type and attention mode: whether a format, or a kernel that reads it,
// costs more than its rounding.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mla/context.hpp>

#include "block_encoder.hpp"
#include "demo_variant.hpp"

using namespace mla;
using quant::Type;

namespace {

constexpr AttentionMode modes[] = {AttentionMode::automatic, AttentionMode::deepseek2, AttentionMode::deepseek_mla};
constexpr int n_tokens = 512, first_scored = 32, n_scored = n_tokens - 1 - first_scored;

constexpr Type all_types[] = {Type::f32,  Type::f16,  Type::bf16, Type::q4_0, Type::q4_1, Type::q5_0,   Type::q5_1,  Type::q8_0,
                              Type::q2_k, Type::q3_k, Type::q4_k, Type::q5_k, Type::q6_k, Type::iq4_nl, Type::iq4_xs};

// The model with its matrices in a type, loaded from a file that nobody needs afterwards.
struct Variant {
  Type type;
  double rounding;  // of the matrices, root mean square, relative
  std::shared_ptr<const Model> model;

  explicit Variant(const DemoVariant& variant) : type(variant.type) {
    const auto path = std::filesystem::temp_directory_path() / ("mla_regression_" + std::to_string(::getpid()) + ".gguf");
    rounding = write_demo_variant(path.string(), variant);
    model = Model::load(path.string());
    std::filesystem::remove(path);  // the mapping stays
  }

  static Variant of(Type type) {
    if (quant::can_quantize(type)) return Variant({.type = type});
    const BlockEncoder encoder(type);
    return Variant(
        {.type = type, .encode = [&](const float* values, std::byte* blocks, std::int64_t n) { encoder.encode(values, blocks, n); }});
  }

  // F32 weights with the values that `type` rounds them to.
  static Variant rounded_to(Type type) {
    const BlockEncoder encoder(type);
    return Variant({.type = Type::f32, .change = [&](const format::TensorInfo& tensor, std::vector<float>& values) {
      if (!is_matrix(tensor, type)) return;
      const auto n = static_cast<std::int64_t>(values.size());
      std::vector<std::byte> blocks(quant::row_bytes(type, n));
      quant::can_quantize(type) ? quant::quantize(type, values.data(), blocks.data(), n) : encoder.encode(values.data(), blocks.data(), n);
      quant::dequantize(type, blocks.data(), values.data(), n);
    }});
  }
};

// The mean negative log-likelihood of the scored tokens: the logarithm of the perplexity.
double measure(const Variant& variant, AttentionMode mode, CacheType cache) {
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
  double nll = 0;
  for (int i = first_scored; i + 1 < n_tokens; ++i) {
    const auto logits = context.logits(i);
    const double top = *std::ranges::max_element(logits);
    double sum = 0;
    for (const float logit : logits) sum += std::exp(logit - top);
    nll += top + std::log(sum) - logits[static_cast<std::size_t>(tokens[static_cast<std::size_t>(i) + 1])];
  }
  return nll / n_scored;
}

// Root mean square of what is rounded off, as a share of the values: uniform in half a step.
const double half_step_f16 = 0x1p-11 / std::sqrt(3), half_step_bf16 = 0x1p-8 / std::sqrt(3);
double eight_bits(double largest) { return 0.5 * largest / 127 / std::sqrt(3); }  // where the largest value is so many times the mean

double rounding_of(CacheType type) {
  switch (type) {
    case CacheType::f32: return 0;
    case CacheType::f16: return half_step_f16;
    case CacheType::bf16: return half_step_bf16;
    case CacheType::q8_0: return eight_bits(3);  // of 32 values
    case CacheType::q6_0: return eight_bits(3) * 127 / 32;
    case CacheType::q4_0: return eight_bits(3) * 127 / 8;
    case CacheType::q8_row: return eight_bits(8);  // of a whole row
    case CacheType::q16_row: return half_step_f16 / 2;
  }
  return 0;
}

// Kernels may round what meets a block type to 8 bits, 256 values to a scale.
double activation_rounding(Type weights) { return quant::traits(weights).block_size > 1 ? eight_bits(6) : 0; }

// How far rounding may move the mean. A relative error of each matrix and cache row leaves about twice as much in the last
// hidden vector, since residual connections carry most of it past the rest; the logits that matter spread over two to three
// units, so a logit is off by five times the error. The mean over the tokens moves by at most four standard errors of that, and
// by half its square, which rounding costs.
double bound(double rounding) {
  const double logit = 5 * rounding, float_sums = 1e-5;
  return 4 * logit / std::sqrt(n_scored) + logit * logit / 2 + float_sums;
}

void check(double reference, const Variant& variant, AttentionMode mode, CacheType cache) {
  const double difference = measure(variant, mode, cache) - reference;
  INFO(quant::traits(variant.type).name << " weights, " << to_string(cache) << " cache, " << to_string(mode) << ": perplexity "
                                        << std::exp(reference) << " times exp(" << difference << ")");
  CHECK(std::abs(difference) < bound(std::hypot(variant.rounding, rounding_of(cache), activation_rounding(variant.type))));
  if (variant.rounding > 0 || cache != CacheType::f32) CHECK(difference != 0);  // the types are in use
}

double reference_of(const Variant& f32) { return measure(f32, AttentionMode::deepseek2, CacheType::f32); }

}  // namespace

TEST_CASE("perplexity stays within a type's rounding: every cache type and mode, then some weight types") {
  const Variant f32 = Variant::of(Type::f32);
  const double reference = reference_of(f32);
  CHECK(std::exp(reference) < 60);
  CHECK(f32.rounding == 0);  // the demo model's values are those of F16
  for (const AttentionMode mode : modes)
    for (const CacheType cache : all_cache_types) check(reference, f32, mode, cache);
  for (const Type type : {Type::f16, Type::bf16, Type::q8_0, Type::q4_k})
    check(reference, Variant::of(type), AttentionMode::automatic, CacheType::f16);
}

TEST_CASE("perplexity stays within a type's rounding: every weight type with every cache type and mode", "[.][full]") {
  const double reference = reference_of(Variant::of(Type::f32));
  for (const Type type : all_types) {
    const Variant variant = Variant::of(type);
    for (const AttentionMode mode : modes)
      for (const CacheType cache : all_cache_types) check(reference, variant, mode, cache);
  }
}

TEST_CASE("a block type gives the perplexity of its values as floats", "[.][full]") {
  for (const Type type : all_types) {
    if (quant::traits(type).block_size == 1) continue;
    const double expected = measure(Variant::rounded_to(type), AttentionMode::automatic, CacheType::f32);
    const double got = measure(Variant::of(type), AttentionMode::automatic, CacheType::f32);
    INFO(quant::traits(type).name);
    CHECK(std::abs(got - expected) < bound(activation_rounding(type)));
  }
}
