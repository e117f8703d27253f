// The seams between the library and its host: memory, threads, log, progress and abort.
// Each is optional; left out, the library uses its own. The library itself never prints.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include <mla/types.hpp>

namespace mla {

/// Where weights that are not mapped, KV-cache pages and compute buffers come from.
/// Called from one thread at a time per model, context or cache; may be shared between them only if it is thread-safe.
class Allocator {
 public:
  virtual ~Allocator() = default;
  /// `bytes` of memory aligned to `alignment` (a power of two, at least 64), or nullptr when there is none.
  virtual void* allocate(std::size_t bytes, std::size_t alignment) noexcept = 0;
  /// Gives back what allocate() returned for the same `bytes`.
  virtual void deallocate(void* memory, std::size_t bytes) noexcept = 0;
};

/// The library's own allocator: page-aligned heap memory. Thread-safe; lives as long as the program.
std::shared_ptr<Allocator> default_allocator();

enum class LogLevel : int { debug = 0, info = 1, warning = 2, error = 3 };

/// Receives the library's messages (one line each, no line end). May be called from any thread that calls the library.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void write(LogLevel level, std::string_view message) noexcept = 0;
};

/// A sink that writes lines of at least `level` to standard error; what the example programs use. Thread-safe.
std::shared_ptr<LogSink> stderr_log(LogLevel level = LogLevel::warning);

/// A task body: called as fn(data, task, thread) with 0 <= task < n_tasks and 0 <= thread < n_threads.
struct TaskRef {
  void (*fn)(void* data, int task, int thread);
  void* data;
};

/// Runs the tasks of one operation at a time. A context uses its pool from one thread at a time; a pool that contexts share is called
/// from all of their threads.
class ThreadPool {
 public:
  virtual ~ThreadPool() = default;
  /// The largest number of tasks that run at once; the `thread` a task sees is below it.
  virtual int n_threads() const noexcept = 0;
  /// Runs task 0 … n_tasks-1, each once, in any order, and returns when all are done. The calling thread takes part.
  /// An exception from a task is rethrown here after the others have ended.
  virtual void run(int n_tasks, TaskRef task) = 0;
  /// A promise: run() with n_threads() tasks runs all of them at the same time, each on a thread of its own, task 0 on the calling
  /// thread. The library then calls run() once for a whole decode() instead of once for each of its operations, and its threads wait
  /// for each other inside; it hangs if the promise is broken. Without it, tasks never wait for other tasks.
  virtual bool concurrent() const noexcept { return false; }
};

constexpr int max_threads = 4096;  ///< that a pool may have

struct ThreadPoolOptions {
  int n_threads = 0;         ///< the caller included; 0: default_threads()
  Numa numa = Numa::none;    ///< where they run; what the model was loaded with
  bool pin = false;          ///< each on a processor of its own, the caller apart
};

/// A pool of n_threads - 1 threads beside the caller, which contexts may share (their operations then take turns).
/// Throws Error(out_of_memory) if a thread can't be started. Its threads end with the object. The calling thread, which is the host's,
/// is never bound to anything.
std::shared_ptr<ThreadPool> make_thread_pool(const ThreadPoolOptions& options);
std::shared_ptr<ThreadPool> make_thread_pool(int n_threads = 0);

/// One thread for each physical core that this thread may run on, without the slow kind where there are two, and no more than control
/// groups grant. docs/threads.md says why.
int default_threads();

/// Called now and then during long work with what is being done and how far it is; return false to stop.
using ProgressCallback = std::function<bool(std::string_view phase, std::uint64_t done, std::uint64_t total)>;

/// Polled during computation, at least every 200 ms; return true to stop. Called on the thread that computes.
using AbortCallback = std::function<bool()>;

}  // namespace mla
