// Micro-benchmarks of matrix products on one thread, on the shapes of tests/shapes/models.txt: weights of each type.
// GFLOP/s count two operations for each multiply-add, whatever the kernel does to get there.
#include <benchmark/benchmark.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "kernels/int16.hpp"
#include "kernels/int8.hpp"
#include "kernels/integer_gemm.hpp"
#include "kernels/matmul.hpp"
#include "kernels/sgemm.hpp"
#include "quant/types.hpp"
#include "shapes/shapes.hpp"

namespace {

using namespace mla;

std::vector<float> uniform(std::size_t count) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> value(-1, 1);
  std::vector<float> values(count);
  for (float& v : values) v = value(random);
  return values;
}

void report(benchmark::State& state, const Shape& s, std::size_t weight_bytes) {
  const auto rounds = static_cast<double>(state.iterations());
  state.counters["GFLOP/s"] = benchmark::Counter(2e-9 * static_cast<double>(s.m * s.n * s.k) * rounds, benchmark::Counter::kIsRate);
  state.counters["GB/s"] = benchmark::Counter(1e-9 * static_cast<double>(weight_bytes) * rounds, benchmark::Counter::kIsRate);
}

// Repeated bytes are valid blocks of every type, and 0x11 makes small finite scales; speed does not depend on the values.
void block_matmul(benchmark::State& state, quant::Type type, const Shape& shape) {
  const auto [m, n, k] = shape;
  const std::size_t row_bytes = quant::row_bytes(type, k);
  const std::vector<std::byte> weights(static_cast<std::size_t>(n) * row_bytes, std::byte{0x11});
  const std::vector<float> x = uniform(static_cast<std::size_t>(m * k));
  std::vector<float> y(static_cast<std::size_t>(m * n)), scratch(kernels::matmul_scratch_floats(k));
  const kernels::Matrix w{weights.data(), type, n, k, row_bytes};
  for (auto _ : state) {
    kernels::matmul_on_this_thread({x.data(), k, m, w, y.data(), n}, scratch);
    benchmark::DoNotOptimize(y.data());
  }
  report(state, shape, weights.size());
}

void int8_product(benchmark::State& state, quant::Type type, bool in_panels, const Shape& shape) {
  const auto [m, n, k] = shape;
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
  report(state, shape, weights.size());
}

void int16_product(benchmark::State& state, const Shape& shape) {
  const auto [m, n, k] = shape;
  const std::vector<std::int16_t> a(static_cast<std::size_t>(m * k), 100), b(static_cast<std::size_t>(n * k), 100);
  const std::vector<float> scale(static_cast<std::size_t>(std::max(m, n)), 1.0f);
  std::vector<float> c(static_cast<std::size_t>(m * n));
  for (auto _ : state) {
    kernels::active_int16_kernels().multiply({a.data(), k, 2, b.data(), 16 * k, m, n, k, scale.data(), scale.data(), nullptr, c.data(), n});
    benchmark::DoNotOptimize(c.data());
  }
  report(state, shape, 2 * b.size());
}

void onednn_sgemm(benchmark::State& state, const Shape& shape) {
  const auto [m, n, k] = shape;
  const std::vector<float> x = uniform(static_cast<std::size_t>(m * k)), w = uniform(static_cast<std::size_t>(n * k));
  std::vector<float> y(static_cast<std::size_t>(m * n));
  for (auto _ : state) {
    kernels::sgemm({x.data(), k, w.data(), k, kernels::Transpose::yes, y.data(), n, m, n, k, 0.0f});
    benchmark::DoNotOptimize(y.data());
  }
  report(state, shape, w.size() * sizeof(float));
}

void onednn_u8s8s32(benchmark::State& state, const Shape& shape) {
  const auto [m, n, k] = shape;
  const std::vector<std::uint8_t> x(static_cast<std::size_t>(m * k), 1);
  const std::vector<std::int8_t> w(static_cast<std::size_t>(n * k), 1);
  std::vector<std::int32_t> y(static_cast<std::size_t>(m * n));
  for (auto _ : state) {
    kernels::integer_gemm({x.data(), w.data(), y.data(), m, n, k});
    benchmark::DoNotOptimize(y.data());
  }
  report(state, shape, w.size());
}

// "/m:48/n:2048/k:2048" behind the kernel's name, for --benchmark_filter.
void add(const std::string& kernel, const Shape& s, const std::function<void(benchmark::State&)>& body) {
  benchmark::RegisterBenchmark((kernel + "/m:" + std::to_string(s.m) + "/n:" + std::to_string(s.n) + "/k:" + std::to_string(s.k)).c_str(),
                               body);
}

void add_type(quant::Type type, const Shape& shape) {
  const std::string name(quant::traits(type).name);
  if (shape.k % quant::traits(type).block_size != 0) return;
  add("matmul/" + name, shape, [=](benchmark::State& state) { block_matmul(state, type, shape); });
  const kernels::Int8Kernels* const int8 = kernels::active_int8_kernels();
  if (int8 == nullptr || int8->find(type) == nullptr) return;
  for (const bool in_panels : {false, true})
    add((in_panels ? "int8 panels/" : "int8 rows/") + name, shape,
        [=](benchmark::State& state) { int8_product(state, type, in_panels, shape); });
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  for (const Shape& shape : read_shapes("models")) {
    add("sgemm/f32", shape, [=](benchmark::State& state) { onednn_sgemm(state, shape); });
    add("u8s8s32", shape, [=](benchmark::State& state) { onednn_u8s8s32(state, shape); });
    for (const quant::Type type : quant::all_types()) add_type(type, shape);
  }
  for (const Shape& shape : read_shapes("attention")) {
    add("sgemm/f32", shape, [=](benchmark::State& state) { onednn_sgemm(state, shape); });
    add("int16", shape, [=](benchmark::State& state) { int16_product(state, shape); });
  }
  benchmark::RunSpecifiedBenchmarks();
}
