// oneDNN's products stay on the thread that asks for them, whichever that is, and leave OpenMP's settings alone.
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "kernels/sgemm.hpp"
#include "platform/executor.hpp"

using namespace mla;

namespace {

std::ptrdiff_t threads_of_process() { return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}); }

void multiply() {
  constexpr std::int64_t n = 384;
  const std::vector<float> a(n * n, 1.0f), b(n * n, 1.0f);
  std::vector<float> c(n * n);
  kernels::sgemm({a.data(), n, b.data(), n, kernels::Transpose::yes, c.data(), n, n, n, n, 0.0f});
  if (c[17] != n) throw std::logic_error("a wrong product");
}

}  // namespace

TEST_CASE("products on our threads, on the host's and inside the host's OpenMP start no threads, and its settings stay") {
  const int before = omp_get_max_threads();
  omp_set_num_threads(4);
  platform::Executor executor(make_thread_pool(3), {}, 16, nullptr);
  std::atomic<bool> stop{false};
  std::atomic<std::ptrdiff_t> most{0};
  std::thread watcher([&] {
    while (!stop) {
      most = std::max(most.load(), threads_of_process());
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  const std::ptrdiff_t n_threads = threads_of_process();  // with the watcher
  multiply();
  for (int round = 0; round < 10; ++round) executor.parallel_for(6, [](int, int) { multiply(); });
  std::thread host([] {  // a thread that libmla has never seen
    omp_set_num_threads(2);
    multiply();
    CHECK(omp_get_max_threads() == 2);
  });
  host.join();
  stop = true;
  watcher.join();
  CHECK(most <= n_threads + 1);               // the host's
  CHECK(threads_of_process() <= n_threads);   // a team that OpenMP had made would stay
  CHECK(omp_get_max_threads() == 4);
  std::atomic<int> wide{0};
#pragma omp parallel num_threads(2)
  {
    multiply();
    if (omp_get_num_threads() == 2) ++wide;
  }
  CHECK(wide == 2);
  omp_set_num_threads(before);
}
