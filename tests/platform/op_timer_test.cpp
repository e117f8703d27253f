// The stopwatch of operations: laps of the computing thread, and those of threads within a parallel operation.
#include <chrono>
#include <thread>

#include "catch.hpp"
#include "platform/op_timer.hpp"

using namespace mla::platform;
using namespace std::chrono_literals;

TEST_CASE("a timer that is off counts nothing") {
  OpTimer timer;
  timer.start();
  timer.lap(Op::q, {1, 2});
  timer.thread_laps(3).lap(Op::kq, {1, 2});
  timer.join(Op::attention_wait);
  for (std::size_t op = 0; op < n_ops; ++op) CHECK(timer.total(static_cast<Op>(op)).calls == 0);
}

TEST_CASE("laps add up") {
  OpTimer timer;
  timer.enable(1);
  const auto begin = std::chrono::steady_clock::now();
  timer.start();
  std::this_thread::sleep_for(5ms);
  timer.lap(Op::q, {100, 7});
  timer.lap(Op::kv_a, {1, 1});
  std::this_thread::sleep_for(2ms);
  timer.start();  // these two belong to nothing
  timer.lap(Op::q, {10, 3});
  CHECK(timer.total(Op::q).calls == 2);
  CHECK(timer.total(Op::q).seconds >= 0.005);
  CHECK(timer.total(Op::q).work.bytes == 110);
  CHECK(timer.total(Op::q).work.operations == 10);
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  CHECK(timer.total(Op::q).seconds + timer.total(Op::kv_a).seconds <= wall - 0.002);
  timer.reset();
  CHECK(timer.total(Op::q).calls == 0);
  CHECK(timer.total(Op::q).seconds == 0);
}

TEST_CASE("a parallel operation: parts are the mean over all threads, the rest is waiting") {
  OpTimer timer;
  timer.enable(4);
  const auto start = std::chrono::steady_clock::now();
  timer.start();
  const auto work = [&](int thread, std::chrono::milliseconds duration) {
    OpTimer::ThreadLaps laps = timer.thread_laps(thread);
    std::this_thread::sleep_for(duration);
    laps.lap(Op::kq, {8, 16});
    laps.lap(Op::softmax);
  };
  std::thread other(work, 1, 20ms);
  work(0, 10ms);
  other.join();
  timer.join(Op::attention_wait);
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const OpTotal &kq = timer.total(Op::kq), &softmax = timer.total(Op::softmax), &waiting = timer.total(Op::attention_wait);
  CHECK(kq.calls == 2);
  CHECK(kq.work.bytes == 16);
  CHECK(kq.work.operations == 32);
  CHECK(kq.seconds >= 0.030 / 4);
  CHECK(kq.seconds <= 2 * wall / 4);
  CHECK(softmax.calls == 2);
  CHECK(waiting.calls == 1);
  CHECK(waiting.seconds > 0);  // two of four threads did nothing
  CHECK(kq.seconds + softmax.seconds + waiting.seconds <= wall);

  timer.start();
  timer.join(Op::attention_wait);  // the threads' laps counted once
  CHECK(timer.total(Op::kq).calls == 2);
}

TEST_CASE("every operation has a name of its own") {
  for (std::size_t a = 0; a < n_ops; ++a) {
    const std::string name = op_name(static_cast<Op>(a));
    CHECK_FALSE(name.empty());
    for (std::size_t b = 0; b < a; ++b) CHECK(name != op_name(static_cast<Op>(b)));
  }
}
