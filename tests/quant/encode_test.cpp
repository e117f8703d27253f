#include "quant/encode.hpp"

#include <cmath>
#include <functional>
#include <fstream>
#include <map>
#include <mla/error.hpp>
#include <random>
#include <set>

#include "catch.hpp"
#include "quant/dequantize.hpp"
#include "quant/half.hpp"
#include "quant/iq4_values.hpp"
#include "support.hpp"

using namespace mla::quant;
using namespace mla::quant::test;
using mla::platform::Isa;

namespace {

const std::set<Type> searched = {Type::q4_0, Type::q5_0, Type::q6_0, Type::q2_k,   Type::q3_k,
                                 Type::q4_k, Type::q5_k, Type::q6_k, Type::iq4_nl, Type::iq4_xs};

std::vector<std::uint8_t> encoded(Type type, const std::vector<float>& row, const float* weights, Isa isa = mla::platform::detected_isa()) {
  std::vector<std::uint8_t> blocks(row_bytes(type, static_cast<std::int64_t>(row.size())));
  encode_on(isa, type, row.data(), weights, blocks.data(), static_cast<std::int64_t>(row.size()));
  return blocks;
}

std::vector<float> read_back(Type type, const std::vector<float>& row, const float* weights) {
  std::vector<float> values(row.size());
  dequantize(type, encoded(type, row, weights).data(), values.data(), static_cast<std::int64_t>(row.size()));
  return values;
}

double error_of(const std::vector<float>& row, const std::vector<float>& back, const float* weights) {
  double error = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const double e = static_cast<double>(row[i]) - static_cast<double>(back[i]);
    error += e * e * (weights != nullptr ? static_cast<double>(weights[i]) : 1.0);
  }
  return error;
}

std::vector<float> random_row(std::size_t n, std::mt19937& random, float spread = 0.02f) {
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> row(n);
  for (float& x : row) x = normal(random);
  return row;
}

std::vector<float> random_weights(std::size_t n, std::mt19937& random) {
  std::lognormal_distribution<float> distribution(0, 1);
  std::vector<float> weights(n);
  for (float& w : weights) w = distribution(random);
  level_weights(weights);
  return weights;
}

/// tests/golden/quant/make_encode.py
struct OtherQuantizer {
  static constexpr std::size_t rows = 16, columns = 1024;
  std::map<std::string, std::vector<float>> sets;
  std::vector<float> weights;
  struct Line {
    std::string type, set, kind;
    double error;
  };
  std::vector<Line> lines;

  OtherQuantizer() {
    std::ifstream data(MLA_SOURCE_DIR "/tests/golden/quant/encode.bin", std::ios::binary),
        text(MLA_SOURCE_DIR "/tests/golden/quant/encode.txt");
    for (const char* name : {"gauss", "laplace", "uniform", "student", "columns", "outliers", "shifted", "demo"}) {
      std::vector<std::uint16_t> halves(rows * columns);
      data.read(reinterpret_cast<char*>(halves.data()), static_cast<std::streamsize>(2 * halves.size()));
      sets[name].resize(halves.size());
      f16_to_f32(halves.data(), sets[name].data(), static_cast<std::int64_t>(halves.size()));
    }
    weights.resize(columns);
    data.read(reinterpret_cast<char*>(weights.data()), static_cast<std::streamsize>(4 * columns));
    REQUIRE(data.good());
    for (Line line; text >> line.type >> line.set >> line.kind >> line.error;) lines.push_back(line);
  }
};

}  // namespace

TEST_CASE("encoded rows have no more error than another quantiser's", "[encode]") {
  const OtherQuantizer other;
  REQUIRE(other.lines.size() == (searched.size() + 1) * 8 * 2);
  for (const auto& line : other.lines) {
    const Type type = *parse_type(line.type);
    const float* weights = line.kind == "weighted" ? other.weights.data() : nullptr;
    const std::vector<float>& values = other.sets.at(line.set);
    double error = 0;
    for (std::size_t r = 0; r < other.rows; ++r) {
      const std::vector<float> row(values.begin() + static_cast<std::ptrdiff_t>(r * other.columns),
                                   values.begin() + static_cast<std::ptrdiff_t>((r + 1) * other.columns));
      error += error_of(row, read_back(type, row, weights), weights);
    }
    error /= static_cast<double>(values.size());
    INFO(line.type << ", " << line.set << ", " << line.kind << ": " << error << ", the other one's " << line.error);
    CHECK(error <= line.error * 1.0001);  // which has 7 digits
  }
}

// Of all f16 scales the one whose nearest values leave the least error.
double least_error(const std::vector<float>& block, const float* weights, const std::function<double(double)>& nearest) {
  double extreme = 0, least = INFINITY;
  for (const float x : block) extreme = std::max(extreme, std::fabs(static_cast<double>(x)));
  for (std::uint32_t half = 1; half < 0x7c00; ++half) {
    const double magnitude = static_cast<double>(f16_to_f32(static_cast<std::uint16_t>(half)));
    if (magnitude * 200 < extreme || magnitude > extreme) continue;  // beyond these nothing is gained
    for (const double scale : {magnitude, -magnitude}) {
      double error = 0;
      for (std::size_t i = 0; i < block.size() && error < least; ++i) {
        const double e = static_cast<double>(block[i]) - scale * nearest(static_cast<double>(block[i]) / scale);
        error += e * e * (weights != nullptr ? static_cast<double>(weights[i]) : 1.0);
      }
      least = std::min(least, error);
    }
  }
  return least;
}

TEST_CASE("blocks of one scale come near the least error there is", "[encode]") {
  const auto whole = [](double low, double high) { return [=](double t) { return std::clamp(std::nearbyint(t), low, high); }; };
  const std::pair<Type, std::function<double(double)>> types[] = {
      {Type::q4_0, whole(-8, 7)}, {Type::q5_0, whole(-16, 15)}, {Type::q6_0, whole(-32, 31)}, {Type::iq4_nl, [](double t) {
         double best = 0, distance = INFINITY;
         for (const float v : iq4_values)
           if (const double d = std::fabs(t - static_cast<double>(v)); d < distance) distance = d, best = static_cast<double>(v);
         return best;
       }}};
  std::mt19937 random(3);
  for (const auto& [type, nearest] : types) {
    double error = 0, least = 0;
    for (int i = 0; i < 12; ++i) {
      const auto block = random_row(32, random), weights = random_weights(32, random);
      const float* w = i % 2 == 0 ? nullptr : weights.data();
      const double here = error_of(block, read_back(type, block, w), w), best = least_error(block, w, nearest);
      INFO(traits(type).name << ", block " << i << ": " << here << " where " << best << " is possible");
      CHECK(here >= best * 0.999);  // otherwise the test is wrong
      CHECK(here <= best * 1.15);
      error += here;
      least += best;
    }
    INFO(traits(type).name << ": " << error / least);
    CHECK(error <= least * 1.015);
  }
}

TEST_CASE("every ISA encodes to the same bytes, at any alignment and length", "[encode]") {
  std::mt19937 random(4);
  for (const Type type : all_types()) {
    if (!can_encode(type)) continue;
    const auto block_size = static_cast<std::size_t>(traits(type).block_size);
    for (const std::size_t n_blocks : {1u, 3u, 7u, 8u, 9u, 20u}) {
      const std::size_t n = n_blocks * block_size;
      auto row = random_row(n + 1, random);
      const auto weights = random_weights(n + 1, random);
      for (const float* w : {static_cast<const float*>(nullptr), weights.data() + 1}) {
        std::vector<std::uint8_t> want(row_bytes(type, static_cast<std::int64_t>(n)) + 2, 0xaa);
        encode_on(Isa::scalar, type, row.data() + 1, w, want.data() + 1, static_cast<std::int64_t>(n));
        CHECK(want.front() == 0xaa);
        CHECK(want.back() == 0xaa);
        for (const Isa isa : machine_isas()) {
          std::vector<std::uint8_t> got(want.size(), 0xaa);
          encode_on(isa, type, row.data() + 1, w, got.data() + 1, static_cast<std::int64_t>(n));
          INFO(traits(type).name << " on " << to_string(isa) << ", " << n_blocks << " blocks");
          CHECK(got == want);
        }
      }
    }
  }
}

TEST_CASE("rows of zeros, of one value, tiny and huge ones are read back as well as their scale allows", "[encode]") {
  for (const Type type : searched) {
    const auto worst = [&](const std::vector<float>& row, const float* weights) {
      const auto back = read_back(type, row, weights);
      float largest = 0;
      for (std::size_t i = 0; i < row.size(); ++i) {
        REQUIRE(std::isfinite(back[i]));
        largest = std::max(largest, std::fabs(back[i] - row[i]));
      }
      return largest;
    };
    INFO(traits(type).name);
    std::vector<float> row(512, 0.0f), weights(512, 0.0f);
    level_weights(weights);
    CHECK(worst(row, nullptr) == 0);
    row[300] = -0.5f;
    const bool has_zero = type != Type::iq4_nl && type != Type::iq4_xs;  // whose value next to zero is 1 of 127
    const float most = has_zero ? 0.5f * 0x1p-10f : 0.5f / 120;
    CHECK(worst(row, nullptr) <= most);
    CHECK(worst(row, weights.data()) <= most);
    for (const float value : {0.5f, -0.5f}) CHECK(worst(std::vector<float>(512, value), nullptr) <= 0.04f);
    CHECK(worst(std::vector<float>(512, 1e-30f), nullptr) <= 1e-7f);
    for (const float value : {1e30f, -1e30f, 1e38f}) (void)worst(std::vector<float>(512, value), nullptr);  // cut off, but finite
    std::vector<float> both(512, 3e38f);
    for (std::size_t i = 0; i < both.size(); i += 3) both[i] = -3e38f;
    (void)worst(both, nullptr);
  }
}

TEST_CASE("columns of little weight may err, those of much don't", "[encode]") {
  std::mt19937 random(8);
  for (const Type type : searched) {
    const auto row = random_row(1024, random);
    std::vector<float> weights(1024, 0.01f);
    for (std::size_t i = 0; i < weights.size(); i += 16) weights[i] = 10.0f;
    level_weights(weights);
    const auto plain = read_back(type, row, nullptr), weighted = read_back(type, row, weights.data());
    INFO(traits(type).name);
    CHECK(error_of(row, weighted, weights.data()) < 0.75 * error_of(row, plain, weights.data()));
    CHECK(error_of(row, weighted, nullptr) > error_of(row, plain, nullptr));
  }
}

TEST_CASE("Q2_K weighs large values more, where columns have importances", "[encode]") {
  std::vector<float> values(512, 1.0f), columns(512, 0.5f), scratch;
  values[300] = -15.0f;  // a mean square of 480 / 256 = 1.875
  for (std::size_t i = 0; i < columns.size(); i += 2) columns[i] = 1.5f;
  CHECK(value_weights(Type::q2_k, values, nullptr, scratch) == nullptr);
  CHECK(value_weights(Type::q4_k, values, columns.data(), scratch) == columns.data());
  const float* weights = value_weights(Type::q2_k, values, columns.data(), scratch);
  CHECK(weights[1] == Approx(0.5 * std::sqrt(2)));
  CHECK(weights[298] == Approx(1.5 * std::sqrt(1 + 1 / 1.875)));
  CHECK(weights[300] == Approx(1.5 * 11));
  for (float& value : values) value *= 2e37f;  // squares beyond a float
  CHECK(value_weights(Type::q2_k, values, columns.data(), scratch)[300] == Approx(1.5 * 11));
  CHECK(value_weights(Type::q2_k, std::vector<float>(512, 0.0f), columns.data(), scratch)[300] == 1.5f);
  const std::vector<float> equal(512, 1.0f);
  CHECK(value_weights(Type::q2_k, values, equal.data(), scratch) == equal.data());
}

TEST_CASE("importances are scaled to a mean of 1 and none is lost", "[encode]") {
  std::vector<float> weights{0, 2e-20f, 6e-20f, 0};
  level_weights(weights);
  CHECK(weights[1] == Approx(1));
  CHECK(weights[2] == Approx(3));
  CHECK(weights[0] > 0);
  std::vector<float> none(5, 0.0f);
  level_weights(none);
  CHECK(none == std::vector<float>(5, 1.0f));
}

TEST_CASE("types that can't be encoded are refused by name", "[encode]") {
  std::set<Type> wanted = searched;
  wanted.insert({Type::f32, Type::f16, Type::bf16, Type::q8_0});
  for (const Type type : all_types()) CHECK(can_encode(type) == wanted.contains(type));
  const std::vector<float> row(256);
  std::vector<std::uint8_t> blocks(256);
  CHECK_THROWS_WITH(encode(Type::iq3_s, row.data(), nullptr, blocks.data(), 256), Catch::Contains("IQ3_S"));
}
