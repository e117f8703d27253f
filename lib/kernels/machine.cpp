// mla::measure_machine().
#include <mla/machine.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <mla/host.hpp>
#include <numeric>
#include <vector>

#include "kernels/integer_gemm.hpp"
#include "kernels/sgemm.hpp"
#include "platform/executor.hpp"
#include "platform/memory.hpp"

namespace mla {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int n_rounds = 6;

// The best rate of several rounds of `work`, which is done by every thread and counts `amount` each time.
template <typename Work>
double best_rate(platform::Executor& executor, double amount, Work&& work) {
  double best = 0;
  for (int round = 0; round < n_rounds; ++round) {
    const auto start = Clock::now();
    executor.parallel_for(executor.n_threads(), [&](int task, int) { work(task); });
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, amount * executor.n_threads() / seconds);
  }
  return best;
}

// Eight sums: enough loads in flight, and nothing that the compiler could leave out.
std::uint64_t sum_words(const std::uint64_t* words, std::size_t n) noexcept {
  std::uint64_t sums[8] = {};
  for (std::size_t i = 0; i + 8 <= n; i += 8)
    for (std::size_t j = 0; j < 8; ++j) sums[j] += words[i + j];
  std::uint64_t sum = 0;
  for (const std::uint64_t part : sums) sum += part;
  return sum;
}

double measure_read(platform::Executor& executor) {
  const auto n_threads = static_cast<std::size_t>(executor.n_threads());
  constexpr std::size_t total = std::size_t{512} << 20, least = std::size_t{32} << 20;
  const std::size_t bytes = std::max(total / n_threads / 64 * 64, least);  // of a thread
  platform::Buffer memory(nullptr, n_threads * bytes, "measuring memory");
  const std::span<std::uint64_t> words = memory.as<std::uint64_t>();
  std::vector<std::uint64_t> sums(n_threads);
  const auto part = [&](int task) { return words.subspan(static_cast<std::size_t>(task) * (bytes / 8), bytes / 8); };
  // Values that differ, so that nothing below can make one page of many.
  executor.parallel_for(executor.n_threads(), [&](int task, int) { std::iota(part(task).begin(), part(task).end(), std::uint64_t(task) << 40); });
  return best_rate(executor, static_cast<double>(bytes), [&](int task) {
    volatile std::uint64_t& sum = sums[static_cast<std::size_t>(task)];
    sum = sum_words(part(task).data(), part(task).size());
  });
}

constexpr std::int64_t gemm_size = 768;  // both operands and the result fit a second- or third-level cache
constexpr int gemm_repeats = 8;
constexpr double gemm_operations = 2.0 * gemm_repeats * gemm_size * gemm_size * gemm_size;
constexpr std::size_t gemm_values = gemm_size * gemm_size;

double measure_f32(platform::Executor& executor) {
  const std::vector<float> a(gemm_values, 1.0f);
  std::vector<float> c(gemm_values * static_cast<std::size_t>(executor.n_threads()));
  return best_rate(executor, gemm_operations, [&](int task) {
    float* out = c.data() + static_cast<std::size_t>(task) * gemm_values;
    for (int i = 0; i < gemm_repeats; ++i)
      kernels::sgemm({a.data(), gemm_size, a.data(), gemm_size, kernels::Transpose::yes, out, gemm_size, gemm_size, gemm_size, gemm_size, 0.0f});
  });
}

double measure_int8(platform::Executor& executor) {
  const std::vector<std::uint8_t> a(gemm_values, 1);
  const std::vector<std::int8_t> b(gemm_values, 1);
  std::vector<std::int32_t> c(gemm_values * static_cast<std::size_t>(executor.n_threads()));
  return best_rate(executor, gemm_operations, [&](int task) {
    std::int32_t* out = c.data() + static_cast<std::size_t>(task) * gemm_values;
    for (int i = 0; i < gemm_repeats; ++i) kernels::integer_gemm({a.data(), b.data(), out, gemm_size, gemm_size, gemm_size});
  });
}

}  // namespace

MachineRates measure_machine(int n_threads) {
  platform::Executor executor(make_thread_pool(n_threads), {}, 0, nullptr);
  return {measure_read(executor), measure_f32(executor), measure_int8(executor)};
}

}  // namespace mla
