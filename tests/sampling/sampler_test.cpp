// The sampler as a host uses it: sequences, mirostat, greedy, copies, masks, errors.
#include <algorithm>
#include <cstdlib>

#include "catch.hpp"
#include "sampling/golden.hpp"

#include <mla/error.hpp>

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

template <typename Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const mla::Error& error) {
    CHECK(error.status() == mla::Status::invalid_argument);
    return error.what();
  }
  return "no error";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a seed gives the tokens that transformers' filters and the published generator give") {
  for (std::istringstream& line : golden_lines("sequences.txt")) {
    const auto seed = take<std::uint64_t>(line);
    mla::SamplerOptions options = take_options(line);
    options.seed = seed;
    mla::Sampler sampler(options);
    for (unsigned i = 0; i < 200; ++i) {
      const mla::Token token = sampler.sample(make_logits(500, 5000 + i));
      INFO("seed " << seed << ", step " << i);
      REQUIRE(token == take<mla::Token>(line));
      sampler.accept(token);
    }
  }
}

TEST_CASE("mirostat follows the paper") {
  for (std::istringstream& line : golden_lines("mirostat.txt")) {
    mla::SamplerOptions options;
    options.seed = take<std::uint64_t>(line);
    options.temperature = take<float>(line);
    options.mirostat = 2;
    options.mirostat_tau = take<float>(line);
    options.mirostat_eta = take<float>(line);
    mla::Sampler sampler(options);
    CHECK(sampler.mirostat_mu() == 2 * static_cast<double>(options.mirostat_tau));
    for (unsigned i = 0; i < 100; ++i) {
      INFO("seed " << options.seed << ", step " << i);
      REQUIRE(sampler.sample(make_logits(400, 9000 + i)) == take<mla::Token>(line));
      REQUIRE(sampler.mirostat_mu() == Approx(take<double>(line)).epsilon(1e-12));
    }
  }
}

TEST_CASE("mirostat holds the surprise it is told to hold") {
  mla::SamplerOptions options;
  options.mirostat = 2;
  options.mirostat_tau = 3.5f;
  options.temperature = 1.5f;
  mla::Sampler sampler(options), whole([] {
    mla::SamplerOptions all = neutral_options();
    all.temperature = 1.5f;
    return all;
  }());
  double bits = 0;
  for (unsigned i = 0; i < 1000; ++i) {
    const auto logits = make_logits(400, i);
    const mla::Token token = sampler.sample(logits);
    const auto all = whole.probabilities(logits);
    bits -= std::log2(std::find_if(all.begin(), all.end(), [&](const auto& p) { return p.token == token; })->probability);
  }
  CHECK(bits / 1000 == Approx(3.5).margin(0.05));
}

TEST_CASE("greedy takes the largest logit, the first of equal ones") {
  mla::SamplerOptions options;
  options.temperature = 0;
  mla::Sampler sampler(options);
  const std::vector<float> logits{-2, 3, 1, 3, -infinity};
  CHECK(sampler.sample(logits) == 1);
  const auto probabilities = sampler.probabilities(logits);
  REQUIRE(probabilities.size() == 1);
  CHECK(probabilities[0].token == 1);
  CHECK(probabilities[0].probability == 1);
  CHECK(sampler.sample(std::vector<float>{-7}) == 0);
}

TEST_CASE("any temperature and vocabulary size works") {
  for (const float temperature : {1e-45f, 1e-6f, 1.0f, 1e6f, 3e38f}) {
    mla::SamplerOptions options = neutral_options();
    options.temperature = temperature;
    options.typical_p = 0.9f;
    options.top_p = 0.99f;
    mla::Sampler sampler(options);
    CHECK(sampler.sample(std::vector<float>{3e38f}) == 0);
    const mla::Token token = sampler.sample(std::vector<float>{-3e38f, 3e38f, -infinity});
    CHECK((token == 1 || (temperature > 1e38f && token == 0)));
  }
}

TEST_CASE("bias, penalties and mask act in this order") {
  mla::SamplerOptions options = neutral_options();
  options.logit_bias = {{0, 4.0f}, {2, -infinity}, {0, 1.0f}};
  options.repeat_penalty = 2;
  options.presence_penalty = 0.25f;
  options.frequency_penalty = 0.5f;
  std::vector<float> seen;
  options.mask = [&seen](std::span<float> logits) {
    seen.assign(logits.begin(), logits.end());
    logits[1] = -infinity;
  };
  mla::Sampler sampler(options);
  for (const mla::Token token : {0, 1, 0, 2, 99}) sampler.accept(token);
  const auto kept = sampler.probabilities(std::vector<float>{1, -1, 5, 2});
  CHECK(seen == std::vector<float>{(1 + 5) / 2.0f - 1.25f, -1 * 2.0f - 0.75f, -infinity, 2});
  REQUIRE(kept.size() == 2);
  CHECK(kept[0].token == 3);
  CHECK(kept[1].token == 0);
  CHECK(kept[0].probability / kept[1].probability == Approx(std::exp(2 - 1.75)));
}

TEST_CASE("the window of the penalties has its length") {
  const std::vector<float> logits{0, 0, 0, 0};
  const auto penalised = [&](int last_n) {
    mla::SamplerOptions options = neutral_options();
    options.presence_penalty = 1;
    options.penalty_last_n = last_n;
    mla::Sampler sampler(options);
    for (const mla::Token token : {3, 0, 1, 2, 1}) sampler.accept(token);
    std::vector<mla::Token> tokens;
    const auto kept = sampler.probabilities(logits);
    for (const auto& p : kept) {
      if (p.probability < kept.front().probability) tokens.push_back(p.token);
    }
    return tokens;
  };
  CHECK(penalised(0).empty());
  CHECK(penalised(1) == std::vector<mla::Token>{1});
  CHECK(penalised(2) == std::vector<mla::Token>{1, 2});
  CHECK(penalised(4) == std::vector<mla::Token>{0, 1, 2});
  CHECK(penalised(-1).empty());  // all four alike
}

TEST_CASE("copies go on alike, reset begins anew, probabilities() changes nothing") {
  mla::SamplerOptions options;
  options.seed = 5;
  options.repeat_penalty = 1.5f;
  mla::Sampler sampler(options);
  const auto run = [](mla::Sampler& s) {
    std::vector<mla::Token> tokens;
    for (unsigned i = 0; i < 50; ++i) {
      const auto logits = make_logits(200, i);
      s.probabilities(logits);
      tokens.push_back(s.sample(logits));
      s.accept(tokens.back());
    }
    return tokens;
  };
  const auto first = run(sampler);
  mla::Sampler copy = sampler;
  const auto second = run(sampler);
  CHECK(second != first);
  CHECK(run(copy) == second);
  sampler.reset();
  CHECK(run(sampler) == first);
  copy = sampler;
  CHECK(run(copy) == run(sampler));
}

TEST_CASE("a call that throws changes nothing") {
  bool refuse = false;
  mla::SamplerOptions options;
  options.mirostat = 2;
  options.mask = [&refuse](std::span<float>) {
    if (refuse) throw std::runtime_error("refused");
  };
  mla::Sampler sampler(options);
  const auto logits = make_logits(200, 1);
  sampler.sample(logits);
  mla::Sampler untouched = sampler;
  refuse = true;
  CHECK_THROWS_AS(sampler.sample(logits), std::runtime_error);
  refuse = false;
  CHECK_THROWS_AS(sampler.sample({}), mla::Error);
  CHECK(sampler.mirostat_mu() == untouched.mirostat_mu());
  for (int i = 0; i < 20; ++i) CHECK(sampler.sample(logits) == untouched.sample(logits));
}

TEST_CASE("logits that can't be sampled are refused") {
  mla::SamplerOptions options;
  mla::Sampler sampler(options);
  const auto message = [&](std::vector<float> logits) { return error_of([&] { sampler.sample(logits); }); };
  CHECK(contains(message({}), "no logits"));
  CHECK(contains(message({1, std::numeric_limits<float>::quiet_NaN(), 0}), "token 1 is nan"));
  CHECK(contains(message({1, 2, infinity}), "token 2 is inf"));
  CHECK(contains(message({-infinity, -infinity}), "every token is banned"));
  options.mask = [](std::span<float> logits) { std::fill(logits.begin(), logits.end(), -infinity); };
  CHECK(contains(error_of([&] { mla::Sampler(options).sample(make_logits(5, 1)); }), "after logit_bias, penalties and mask"));
  options.mask = nullptr;
  options.logit_bias = {{5, 1.0f}};
  CHECK(contains(error_of([&] { mla::Sampler(options).sample(make_logits(5, 1)); }), "logit_bias names token 5"));
  CHECK(contains(error_of([&] { sampler.accept(-1); }), "token -1"));
}

TEST_CASE("options out of range are refused by name") {
  const auto check = [](const char* option, auto set) {
    mla::SamplerOptions options;
    set(options);
    CHECK(contains(error_of([&] { mla::Sampler sampler(options); }), std::string("option ") + option + " is "));
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float bad : {-0.1f, nan, infinity}) {
    check("temperature", [&](auto& o) { o.temperature = bad; });
    check("top_p", [&](auto& o) { o.top_p = bad; });
    check("min_p", [&](auto& o) { o.min_p = bad; });
    check("typical_p", [&](auto& o) { o.typical_p = bad; });
    check("repeat_penalty", [&](auto& o) { o.repeat_penalty = bad; });
    check("mirostat_tau", [&](auto& o) { o.mirostat_tau = bad; });
    check("mirostat_eta", [&](auto& o) { o.mirostat_eta = bad; });
  }
  for (const float bad : {nan, infinity}) {
    check("presence_penalty", [&](auto& o) { o.presence_penalty = bad; });
    check("frequency_penalty", [&](auto& o) { o.frequency_penalty = bad; });
    check("logit_bias", [&](auto& o) { o.logit_bias = {{0, bad}}; });
  }
  check("typical_p", [](auto& o) { o.typical_p = 0; });
  check("top_k", [](auto& o) { o.top_k = -1; });
  check("penalty_last_n", [](auto& o) { o.penalty_last_n = -2; });
  check("mirostat", [](auto& o) { o.mirostat = 1; });
  check("logit_bias", [](auto& o) { o.logit_bias = {{-1, 0.0f}}; });
}
