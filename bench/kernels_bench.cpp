// Micro-benchmarks of matrix products on one thread: weights of each type against 1 to 512 activations.
// GFLOP/s count two operations for each multiply-add, whatever the kernel does to get there.
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "kernels/int8.hpp"
#include "kernels/matmul.hpp"
#include "kernels/sgemm.hpp"
#include "quant/types.hpp"

namespace {

using namespace mla;

constexpr std::int64_t n = 2048, k = 2048;

std::vector<float> uniform(std::size_t count) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> value(-1, 1);
  std::vector<float> values(count);
  for (float& v : values) v = value(random);
  return values;
}

void report(benchmark::State& state, std::int64_t m, std::size_t weight_bytes) {
  const auto rounds = static_cast<double>(state.iterations());
  state.counters["GFLOP/s"] = benchmark::Counter(2e-9 * static_cast<double>(m * n * k) * rounds, benchmark::Counter::kIsRate);
  state.counters["GB/s"] = benchmark::Counter(1e-9 * static_cast<double>(weight_bytes) * rounds, benchmark::Counter::kIsRate);
}

// Repeated bytes are valid blocks of every type, and 0x11 makes small finite scales; speed does not depend on the values.
void block_matmul(benchmark::State& state, quant::Type type) {
  const std::int64_t m = state.range(0);
  const std::size_t row_bytes = quant::row_bytes(type, k);
  const std::vector<std::byte> weights(static_cast<std::size_t>(n) * row_bytes, std::byte{0x11});
  const std::vector<float> x = uniform(static_cast<std::size_t>(m * k));
  std::vector<float> y(static_cast<std::size_t>(m * n)), scratch(kernels::matmul_scratch_floats(k));
  const kernels::Matrix w{weights.data(), type, n, k, row_bytes};
  for (auto _ : state) {
    kernels::matmul_on_this_thread({x.data(), k, m, w, y.data(), n}, scratch);
    benchmark::DoNotOptimize(y.data());
  }
  report(state, m, weights.size());
}

void int8_product(benchmark::State& state, quant::Type type, bool in_panels) {
  const std::int64_t m = state.range(0);
  const std::size_t row_bytes = quant::row_bytes(type, k);
  const std::vector<std::byte> weights(static_cast<std::size_t>(n) * row_bytes, std::byte{0x11});
  const std::vector<float> x = uniform(static_cast<std::size_t>(m * k));
  std::vector<float> y(static_cast<std::size_t>(m * n)), scratch(kernels::int8_scratch_bytes / sizeof(float) + 16);
  std::vector<std::byte> memory(kernels::int8_rows_bytes(m, k));
  const kernels::Int8Rows rows = kernels::int8_rows_at(memory.data(), m, k);
  const kernels::Int8Kernels& kernel = *kernels::active_int8_kernels();
  for (std::int64_t i = 0; i < m; ++i) kernel.quantize(x.data() + i * k, k, rows.from(i));
  const auto product = kernel.find(type);
  void* const aligned = reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(scratch.data()) + 63) / 64 * 64);
  for (auto _ : state) {
    product({rows, m, weights.data(), row_bytes, n, k, y.data(), n, in_panels}, aligned);
    benchmark::DoNotOptimize(y.data());
  }
  report(state, m, weights.size());
}

void onednn_sgemm(benchmark::State& state) {
  const std::int64_t m = state.range(0);
  const std::vector<float> x = uniform(static_cast<std::size_t>(m * k)), w = uniform(static_cast<std::size_t>(n * k));
  std::vector<float> y(static_cast<std::size_t>(m * n));
  for (auto _ : state) {
    kernels::sgemm({x.data(), k, w.data(), k, kernels::Transpose::yes, y.data(), n, m, n, k, 0.0f});
    benchmark::DoNotOptimize(y.data());
  }
  report(state, m, w.size() * sizeof(float));
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::RegisterBenchmark("sgemm/f32", onednn_sgemm)->ArgName("m")->Arg(1)->Arg(4)->Arg(6)->Arg(8)->Arg(9)->Arg(12)->Arg(16)->Arg(32)->Arg(48)->Arg(64)->Arg(128)->Arg(192)->Arg(512);
  for (const quant::Type type : quant::all_types()) {
    benchmark::RegisterBenchmark((std::string("matmul/") + quant::traits(type).name).c_str(), [type](benchmark::State& state) { block_matmul(state, type); })
        ->ArgName("m")->Arg(1)->Arg(4)->Arg(6)->Arg(8)->Arg(9)->Arg(12)->Arg(16)->Arg(32)->Arg(48)->Arg(64)->Arg(128)->Arg(192)->Arg(512);
  }
  for (const quant::Type type : quant::all_types()) {
    if (kernels::active_int8_kernels() == nullptr || kernels::active_int8_kernels()->find(type) == nullptr) continue;
    for (const bool in_panels : {false, true})
      benchmark::RegisterBenchmark(((in_panels ? "int8 panels/" : "int8 rows/") + std::string(quant::traits(type).name)).c_str(),
                                   [=](benchmark::State& state) { int8_product(state, type, in_panels); })
          ->ArgName("m")->Arg(1)->Arg(2)->Arg(4)->Arg(8)->Arg(16)->Arg(48)->Arg(512);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
