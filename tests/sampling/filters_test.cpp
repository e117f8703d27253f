// Filters and penalties against Hugging Face transformers, draws against its probabilities.
#include <algorithm>
#include <cstdlib>

#include "catch.hpp"
#include "sampling/golden.hpp"

namespace {

struct FilterCase {
  std::vector<float> logits;
  mla::SamplerOptions options;
  std::vector<mla::Token> window;
  bool exact_ids;  // false: transformers leaves open which of several equal tokens it keeps
  std::vector<mla::TokenProbability> kept;
};

FilterCase take_case(std::istringstream& line) {
  FilterCase c;
  const auto n = take<std::size_t>(line);
  const auto seed = take<std::uint64_t>(line);
  c.logits = make_logits(n, seed, take<float>(line));
  c.options = take_options(line);
  c.window.resize(take<std::size_t>(line));
  for (mla::Token& token : c.window) token = take<mla::Token>(line);
  c.kept.resize(take<std::size_t>(line));
  c.exact_ids = take<std::string>(line) == "exact";
  for (mla::TokenProbability& kept : c.kept) kept = {take<mla::Token>(line), take<double>(line)};
  return c;
}

mla::Sampler sampler_of(const FilterCase& c) {
  mla::Sampler sampler(c.options);
  for (const mla::Token token : c.window) sampler.accept(token);
  return sampler;
}

// Pearson's statistic, cells of less than 5 expected draws thrown together, and its 1 - 1e-4 quantile (Wilson and Hilferty).
struct ChiSquare {
  double statistic = 0, limit = 0;
};

ChiSquare chi_square(const FilterCase& c, int n_draws) {
  mla::Sampler sampler = sampler_of(c);
  std::vector<int> count(c.logits.size());
  for (int i = 0; i < n_draws; ++i) ++count[static_cast<std::size_t>(sampler.sample(c.logits))];
  ChiSquare result;
  double rest_expected = 0, rest_count = 0;
  int cells = 0, drawn = 0;
  const auto add = [&](double expected, double observed) {
    result.statistic += (observed - expected) * (observed - expected) / expected;
    ++cells;
  };
  for (const auto& [token, probability] : c.kept) {
    const double expected = probability * n_draws;
    const int observed = count[static_cast<std::size_t>(token)];
    drawn += observed;
    if (expected >= 5) {
      add(expected, observed);
    } else {
      rest_expected += expected, rest_count += observed;
    }
  }
  if (rest_expected >= 5) add(rest_expected, rest_count);
  if (drawn != n_draws) result.statistic = std::numeric_limits<double>::infinity();  // drew what was filtered out
  const double df = std::max(1, cells - 1), z = 3.719;
  result.limit = df * std::pow(1 - 2 / (9 * df) + z * std::sqrt(2 / (9 * df)), 3);
  return result;
}

}  // namespace

TEST_CASE("filters keep what transformers keeps, with its probabilities") {
  int n_case = 0;
  for (std::istringstream& line : golden_lines("filters.txt")) {
    const FilterCase c = take_case(line);
    mla::Sampler sampler = sampler_of(c);
    const auto kept = sampler.probabilities(c.logits);
    INFO("line " << ++n_case << ": " << line.str().substr(0, 60));
    REQUIRE(kept.size() == c.kept.size());
    std::size_t worst = 0;
    double worst_error = -1;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      if (c.exact_ids && kept[i].token != c.kept[i].token) {
        FAIL("place " << i << ": token " << kept[i].token << " instead of " << c.kept[i].token);
      }
      const double error = std::abs(kept[i].probability / c.kept[i].probability - 1);
      if (error > worst_error) worst_error = error, worst = i;
    }
    INFO("worst: token " << kept[worst].token << " has " << kept[worst].probability << ", not " << c.kept[worst].probability);
    // Both work in double: the surplus, up to 40 / temperature, is rounded once or twice before the exponential.
    CHECK(worst_error < 1e-15 * (8 + 80 / c.options.temperature));
  }
  CHECK(n_case > 100);
}

TEST_CASE("of equal logits at the edge of top_p the lower ids stay") {
  mla::SamplerOptions options = neutral_options();
  options.top_p = 0.45f;
  mla::Sampler sampler(options);
  const std::vector<float> logits(500, 1.5f);
  const auto kept = sampler.probabilities(logits);
  REQUIRE(kept.size() == 225);
  for (std::size_t i = 0; i < kept.size(); ++i) CHECK(kept[i].token == static_cast<int>(i));
}

TEST_CASE("draws have the probabilities of transformers") {
  for (std::istringstream& line : golden_lines("filters.txt")) {
    const FilterCase c = take_case(line);
    if (!c.exact_ids || c.logits.size() > 300) continue;
    const ChiSquare result = chi_square(c, 5000);
    INFO(line.str().substr(0, 60));
    CHECK(result.statistic < result.limit);
  }
}
