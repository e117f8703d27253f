// The sampler allocates in its first call and not after: this program counts operator new.
#include <cstdlib>
#include <new>

#include "catch.hpp"
#include "sampling/golden.hpp"

namespace {
thread_local int n_allocations = 0;
}

void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++n_allocations;
  return std::malloc(bytes > 0 ? bytes : 1);
}
void* operator new(std::size_t bytes) {
  if (void* memory = operator new(bytes, std::nothrow)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

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
