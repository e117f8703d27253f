// What is written into rows is read back within the rounding of the type, in both layouts and part by part.
#include "cache/row_format.hpp"

#include <cmath>
#include <cstring>
#include <mla/error.hpp>
#include <random>
#include <vector>

#include "catch.hpp"

using namespace mla;

namespace {

constexpr CacheShape shape{.n_layers = 1, .n_heads = 3, .n_nope = 64, .n_rope = 16, .n_value = 32, .n_latent = 96};

// Of the largest value of a block or row. q6_0 and q4_0 have one quant less on the side of the other sign.
double rounding(CacheType type) {
  switch (type) {
    case CacheType::f32: return 0;
    case CacheType::f16: return 0x1p-11;
    case CacheType::bf16: return 0x1p-8;
    case CacheType::q8_0: return 0.5 / 127 + 0x1p-11;
    case CacheType::q8_row: return 0.5001 / 127;
    case CacheType::q16_row: return 0.51 * std::sqrt(128.0) / 46330;  // at worst: a group of 128 equal values
    case CacheType::q6_0: return 1.0 / 32 + 0x1p-11;
    case CacheType::q4_0: return 1.0 / 8 + 0x1p-11;
  }
  return 0;
}

std::vector<float> random_values(int n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& value : values) value = normal(random);
  return values;
}

}  // namespace

TEST_CASE("rows of every type and layout read as what was written, a head at a time") {
  for (const CacheLayout layout : {CacheLayout::latent, CacheLayout::expanded})
    for (const CacheType type_k : all_cache_types)
      for (const CacheType type_v : all_cache_types) {
        const auto format = cache::RowFormat::of(shape, {.layout = layout, .type_k = type_k, .type_v = type_v});
        std::vector<std::byte> row(format.bytes + 1, std::byte{0x5a});
        std::vector<std::vector<float>> written;
        for (const cache::RowPart* part : {&format.key, &format.rope, &format.value}) {
          written.push_back(random_values(part->width, static_cast<unsigned>(part->offset)));
          if (part->width > 0) cache::write_part(*part, written.back().data(), row.data());
        }
        CHECK(row.back() == std::byte{0x5a});
        std::size_t index = 0;
        for (const cache::RowPart* part : {&format.key, &format.rope, &format.value}) {
          const std::vector<float>& values = written[index++];
          for (int first = 0; first < part->width; first += part->group) {
            std::vector<float> read(static_cast<std::size_t>(part->group));
            cache::read_part(*part, row.data(), first, part->group, read.data());
            float largest = 0;
            for (std::size_t i = 0; i < read.size(); ++i)
              largest = std::max(largest, std::abs(values[static_cast<std::size_t>(first) + i]));
            double worst = 0;
            for (std::size_t i = 0; i < read.size(); ++i)
              worst = std::max(worst, static_cast<double>(std::abs(read[i] - values[static_cast<std::size_t>(first) + i])));
            INFO(to_string(type_k) << '/' << to_string(type_v) << ", part " << index << " from " << first << ", stored as "
                                   << to_string(part->type));
            CHECK(worst <= rounding(part->type) * largest);
          }
        }
        CHECK(format.rope.type ==
              (rounding(type_k) > 0x1p-9 && type_k != CacheType::bf16 ? CacheType::f16 : type_k));
      }
}

TEST_CASE("q8_row: int8 values, then their scale; halves go to the even neighbour") {
  CacheShape s = shape;
  s.n_latent = 8;
  const auto format = cache::RowFormat::of(s, {.type_k = CacheType::q8_row});
  const float values[] = {127, -127, 0.5f, 1.5f, -2.5f, 126.4f, -0.5f, 0};
  std::vector<std::byte> row(format.bytes);
  cache::write_part(format.key, values, row.data());
  const int expected[] = {127, -127, 0, 2, -2, 126, 0, 0};
  for (std::size_t i = 0; i < 8; ++i) CHECK(static_cast<std::int8_t>(row[i]) == expected[i]);
  float scale;
  std::memcpy(&scale, row.data() + 8, sizeof scale);
  CHECK(scale == 1);
  CHECK(format.rope.offset == 12);
  s.n_latent = 6;
  CHECK_THROWS_WITH(cache::RowFormat::of(s, {.type_k = CacheType::q8_row}), Catch::Contains("multiple of 4"));
}

TEST_CASE("q8_row: zeros, the smallest and the largest numbers, infinities and NaN") {
  const auto format = cache::RowFormat::of(shape, {.type_k = CacheType::q8_row});
  const auto round_trip = [&](std::vector<float> values) {
    std::vector<std::byte> row(format.bytes);
    cache::write_part(format.key, values.data(), row.data());
    cache::read_part(format.key, row.data(), 0, format.key.width, values.data());
    return values;
  };
  std::vector<float> values(96);
  for (const float v : round_trip(values)) CHECK(v == 0);
  values[3] = 1e-44f;
  for (const float v : round_trip(values)) CHECK(std::abs(v) <= 1e-44f);
  values[4] = -3.4e38f;
  CHECK(round_trip(values)[4] == Approx(-3.4e38f));
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    values[5] = bad;
    for (const float v : round_trip(values)) CHECK(std::isnan(v));
  }
}
