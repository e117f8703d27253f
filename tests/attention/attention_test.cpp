// Both forms of attention, with every type of cache row, against sums in double over the rows as they are stored.
#include "attention/attention.hpp"

#include <cmath>
#include <random>
#include <vector>

#include "catch.hpp"
#include "platform/cpu.hpp"
#include "platform/thread_pool.hpp"

using namespace mla;
using namespace mla::attention;

namespace {

constexpr CacheShape shape{.n_layers = 2, .n_heads = 3, .n_nope = 32, .n_rope = 16, .n_value = 32, .n_latent = 64};
constexpr int layer = 1;
constexpr std::int64_t q_width = shape.n_nope + shape.n_rope;

std::vector<float> normals(std::int64_t n, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& v : values) v = normal(random);
  return values;
}

kernels::MatrixStack stack(const std::vector<float>& values, int rows, int cols) {
  const std::size_t row_bytes = static_cast<std::size_t>(cols) * sizeof(float);
  return {{reinterpret_cast<const std::byte*>(values.data()), quant::Type::f32, rows, cols, row_bytes, false}, shape.n_heads, static_cast<std::size_t>(rows) * row_bytes};
}

// Rows of one sequence in a cache, and queries at its end.
class Fixture {
 public:
  Fixture(CacheLayout layout, CacheType type, int n_keys, int n_queries, bool extreme)
      : cache_(shape, {.layout = layout, .n_ctx = n_keys, .type_k = type, .type_v = type}), layout_(layout), n_keys_(n_keys), n_queries_(n_queries) {
    std::mt19937 random(7);
    k_nope_ = normals(shape.n_heads * shape.n_nope * shape.n_latent, random), v_b_ = normals(shape.n_heads * shape.n_value * shape.n_latent, random);
    k_b_.resize(k_nope_.size());
    for (int h = 0; h < shape.n_heads; ++h)
      for (int i = 0; i < shape.n_nope; ++i)
        for (int j = 0; j < shape.n_latent; ++j) k_b_[at(h, j, i, shape.n_latent, shape.n_nope)] = k_nope_[at(h, i, j, shape.n_nope, shape.n_latent)];
    q_ = normals(n_queries * shape.n_heads * q_width, random);
    for (float& q : q_) q *= extreme ? 1e-6f : 0.05f;  // 1e-6: all keys weigh nearly the same, and everything is summed up
    fill(random, extreme);
    for (int i = 0; i < n_queries; ++i) positions_.push_back(n_keys - n_queries + i);
    cache_.impl().view(0, n_keys - 1, pages_);
  }

  std::vector<float> run(AttentionMode mode, int n_threads) { return run(Planning{mode, counted_rates(shape)}, n_threads); }

  std::vector<float> run(const Planning& planning, int n_threads) {
    Attention attention(shape, planning, nullptr);
    platform::Executor executor(make_thread_pool(n_threads), {}, std::max(Attention::scratch_floats(shape, n_queries_), std::size_t{1} << 16), nullptr);
    std::vector<float> out(static_cast<std::size_t>(n_queries_ * shape.n_heads * shape.n_value));
    const std::vector<SequenceRows> sequences{{0, n_queries_, pages_}};
    attention.run({shape, layout_, &cache_.impl().format, layer * cache_.impl().layer_bytes(),
                   {stack(k_b_, shape.n_latent, shape.n_nope), stack(v_b_, shape.n_value, shape.n_latent), stack(k_nope_, shape.n_nope, shape.n_latent)},
                   q_.data(), positions_.data(), sequences, out.data()},
                  executor);
    return out;
  }

  // The same in double, and the largest |value| that was weighed.
  std::vector<double> reference(double& largest) const {
    std::vector<double> out(static_cast<std::size_t>(n_queries_ * shape.n_heads * shape.n_value));
    largest = 0;
    for (int h = 0; h < shape.n_heads; ++h) {
      std::vector<std::vector<double>> keys, values;
      for (int row = 0; row < n_keys_; ++row) read_row(row, h, keys, values);
      for (const auto& value : values)
        for (const double v : value) largest = std::max(largest, std::abs(v));
      for (int i = 0; i < n_queries_; ++i) {
        const int n = positions_[static_cast<std::size_t>(i)] + 1;
        std::vector<double> weights(static_cast<std::size_t>(n));
        double max = -INFINITY, sum = 0;
        for (std::size_t key = 0; key < weights.size(); ++key) {
          for (std::size_t d = 0; d < q_width; ++d) weights[key] += keys[key][d] * q_[static_cast<std::size_t>((i * shape.n_heads + h) * q_width) + d];
          max = std::max(max, weights[key]);
        }
        for (double& w : weights) w = std::exp(w - max), sum += w;
        for (std::size_t key = 0; key < weights.size(); ++key)
          for (std::size_t v = 0; v < shape.n_value; ++v)
            out[static_cast<std::size_t>((i * shape.n_heads + h) * shape.n_value) + v] += weights[key] / sum * values[key][v];
      }
    }
    return out;
  }

 private:
  static std::size_t at(int h, int i, int j, int rows, int cols) { return static_cast<std::size_t>((h * rows + i) * cols + j); }

  void fill(std::mt19937& random, bool extreme) {
    KvCache::Impl& impl = cache_.impl();
    KvCache::Impl::Transaction transaction(impl);
    for (int i = 0; i < n_keys_; ++i) {
      std::byte* const row = impl.row(transaction.append(0, i), layer);
      for (const cache::RowPart* part : {&impl.format.key, &impl.format.rope, &impl.format.value}) {
        if (part->width == 0) continue;
        std::vector<float> values = normals(part->width, random);
        if (extreme)
          for (float& v : values) v = v < 0 ? -60.0f : 60.0f;
        cache::write_part(*part, values.data(), row);
      }
    }
    transaction.commit();
  }

  void read_row(int index, int h, std::vector<std::vector<double>>& keys, std::vector<std::vector<double>>& values) const {
    const KvCache::Impl& impl = cache_.impl();
    const cache::PageView& page = pages_[static_cast<std::size_t>(index / cache::page_rows)];
    const std::byte* row = page.data + layer * impl.layer_bytes() + static_cast<std::size_t>(index % cache::page_rows) * impl.format.bytes;
    std::vector<float> rope(shape.n_rope), stored(static_cast<std::size_t>(impl.format.key.width)), value(shape.n_value);
    cache::read_part(impl.format.rope, row, 0, shape.n_rope, rope.data());
    cache::read_part(impl.format.key, row, 0, impl.format.key.width, stored.data());
    auto& k = keys.emplace_back();
    auto& v = values.emplace_back();
    if (layout_ == CacheLayout::expanded) {
      k.assign(stored.begin() + h * shape.n_nope, stored.begin() + (h + 1) * shape.n_nope);
      cache::read_part(impl.format.value, row, h * shape.n_value, shape.n_value, value.data());
      v.assign(value.begin(), value.end());
    } else {
      const auto multiply = [&](const std::vector<float>& w, int rows, std::vector<double>& out) {
        for (int i = 0; i < rows; ++i) {
          double sum = 0;
          for (int j = 0; j < shape.n_latent; ++j) sum += static_cast<double>(w[at(h, i, j, rows, shape.n_latent)]) * stored[static_cast<std::size_t>(j)];
          out.push_back(sum);
        }
      };
      multiply(k_nope_, shape.n_nope, k), multiply(v_b_, shape.n_value, v);
    }
    k.insert(k.end(), rope.begin(), rope.end());
  }

  KvCache cache_;
  CacheLayout layout_;
  int n_keys_, n_queries_;
  std::vector<float> k_nope_, v_b_, k_b_, q_;
  std::vector<Position> positions_;
  std::vector<cache::PageView> pages_;
};

void check(Fixture& fixture, AttentionMode mode, double bound) {
  double largest;
  const std::vector<double> expected = fixture.reference(largest);
  const std::vector<float> got = fixture.run(mode, 2);
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    REQUIRE(std::isfinite(got[i]));
    worst = std::max(worst, std::abs(got[i] - expected[i]));
  }
  CAPTURE(to_string(mode), worst, largest);
  CHECK(worst < bound * largest);
  CHECK(fixture.run(mode, 1) == got);  // whatever the threads
  CHECK(fixture.run(mode, 8) == got);  // more than heads
}

constexpr AttentionMode modes[] = {AttentionMode::automatic, AttentionMode::deepseek2, AttentionMode::deepseek_mla};
constexpr CacheType types[] = {CacheType::f32, CacheType::f16, CacheType::bf16, CacheType::q8_0, CacheType::q8_row, CacheType::q16_row, CacheType::q6_0, CacheType::q4_0};

CacheLayout layout_of(AttentionMode mode) { return mode == AttentionMode::deepseek2 ? CacheLayout::expanded : CacheLayout::latent; }

}  // namespace

TEST_CASE("attention is what its stored rows say, in every mode, with every row type") {
  for (const AttentionMode mode : modes)
    for (const CacheType type : types)
      for (const auto& [n_keys, n_queries] : {std::pair{1, 1}, {2, 2}, {67, 3}, {300, 1}, {1000, 2}, {700, 130}, {1500, 5}}) {
        INFO(to_string(type) << ", " << n_keys << " keys, " << n_queries << " queries");
        Fixture fixture(layout_of(mode), type, n_keys, n_queries, false);
        check(fixture, mode, type == CacheType::f32 ? 1e-5 : 5e-4);
      }
}

TEST_CASE("100,000 keys of the largest values neither saturate nor overflow") {
  for (const auto& [mode, type, n_queries] : {std::tuple{AttentionMode::deepseek2, CacheType::f16, 1}, {AttentionMode::deepseek2, CacheType::f16, 3},
                                              {AttentionMode::deepseek_mla, CacheType::f16, 1}, {AttentionMode::deepseek_mla, CacheType::q8_row, 1},
                                              {AttentionMode::deepseek_mla, CacheType::q16_row, 1}, {AttentionMode::deepseek2, CacheType::q16_row, 3}}) {
    INFO(to_string(type) << ", " << n_queries << " queries");
    Fixture fixture(layout_of(mode), type, 100'000, n_queries, true);
    check(fixture, mode, 5e-4);
  }
}

TEST_CASE("the plan takes the form that costs less") {
  const AttentionRates counted = counted_rates(shape);
  CHECK(!plan_attention(counted, 512, 0).uses_absorbed());   // every key is new: made once, used by all
  CHECK(plan_attention(counted, 2, 5000).uses_absorbed());   // keys would be made for two queries
  CHECK(plan_attention({.expanded_pair = 1, .expanded_key = 1, .absorbed_pair = 2, .absorbed_query = 1}, 10, 0).expanded == 60);
  CHECK(plan_attention({.expanded_pair = 1, .expanded_key = 1, .absorbed_pair = 2, .absorbed_query = 1}, 10, 5).absorbed == 210);
}

TEST_CASE("rates are measured when they are needed, once for all who share them") {
  const auto known = std::make_shared<KnownRates>();
  int measured = 0;
  const auto measure = [&] { return ++measured, AttentionRates{1, 2, 3, 4, 5, 6}; };
  CHECK(known->get(CacheType::f16, 2, measure).absorbed_query == 6);
  CHECK(known->get(CacheType::f16, 2, measure).expanded_pair == 2);
  CHECK(measured == 1);
  known->get(CacheType::q8_0, 2, measure), known->get(CacheType::f16, 3, measure);
  CHECK(measured == 3);

  Fixture fixture(CacheLayout::latent, CacheType::f16, 200, 20, false);
  double largest;
  const std::vector<double> expected = fixture.reference(largest);
  const std::vector<float> got = fixture.run({AttentionMode::automatic, std::nullopt, known}, 2);  // rates of another shape, but those that are known
  CHECK(measured == 3);
  for (std::size_t i = 0; i < got.size(); ++i) REQUIRE(std::abs(got[i] - expected[i]) < 5e-4 * largest);
}

TEST_CASE("what is measured: a small model is counted, a large one has every cost") {
  const KvCacheOptions options{.layout = CacheLayout::latent, .n_ctx = 64, .type_k = CacheType::f16, .type_v = CacheType::f16};
  platform::Executor executor(make_thread_pool(2), {}, Attention::scratch_floats(shape, 1), nullptr);
  CHECK(measured_rates(shape, cache::RowFormat::of(shape, options), {}, {}, executor).expanded_key == counted_rates(shape).expanded_key);

  const CacheShape large{.n_layers = 1, .n_heads = 16, .n_nope = 128, .n_rope = 64, .n_value = 128, .n_latent = 512};
  if (platform::active_isa() != platform::Isa::avx2 && platform::active_isa() != platform::Isa::avx512) return;
  const std::vector<float> weights(static_cast<std::size_t>(large.n_heads) * 128 * 512, 0.01f);
  const auto of = [&](int rows, int cols) {
    const std::size_t row_bytes = static_cast<std::size_t>(cols) * sizeof(float);
    return kernels::MatrixStack{{reinterpret_cast<const std::byte*>(weights.data()), quant::Type::f32, rows, cols, row_bytes, false}, large.n_heads,
                                static_cast<std::size_t>(rows) * row_bytes};
  };
  std::vector<float> workspace(absorbed_workspace_floats(large));
  platform::Executor larger(make_thread_pool(2), {}, std::max(Attention::scratch_floats(large, 1), std::size_t{1} << 20), nullptr);
  const AttentionRates rates = measured_rates(large, cache::RowFormat::of(large, options), {of(512, 128), of(128, 512), of(128, 512)}, workspace, larger);
  for (const double rate : {rates.expanded_key, rates.expanded_pair, rates.absorbed_pair}) CHECK(rate > 0);
  CHECK(plan_attention(rates, 4, 8192).uses_absorbed());  // however busy the machine
  CHECK(!plan_attention(rates, 512, 8192).uses_absorbed());
}
