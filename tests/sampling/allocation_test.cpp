// The sampler allocates in its first call and not after: this program counts operator new.
#include "catch.hpp"
#include "count_allocations.hpp"
#include "sampling/golden.hpp"

TEST_CASE("the second call and the later ones allocate nothing") {
  for (const int kind : {0, 1, 2, 3}) {
    mla::SamplerOptions options;
    options.repeat_penalty = 1.2f;
    options.mask = [](std::span<float> logits) { logits[0] = -1000; };
    if (kind == 1) options.top_k = 0, options.typical_p = 0.9f;
    if (kind == 2) options.mirostat = 2;
    if (kind == 3) options.temperature = 0;
    mla::Sampler sampler(options);
    for (mla::Token token = 0; token < options.penalty_last_n; ++token) sampler.accept(token);
    std::vector<std::vector<float>> logits;
    for (unsigned i = 0; i < 20; ++i) logits.push_back(make_logits(5000, i));
    sampler.sample(logits[0]);
    const int before = n_allocations;
    for (const auto& row : logits) sampler.accept(sampler.sample(row));
    const int after = n_allocations;
    INFO("kind " << kind);
    CHECK(before > 0);
    CHECK(after == before);
  }
}
