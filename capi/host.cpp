#include "host.hpp"

#include <atomic>
#include <cstdint>
#include <exception>
#include <string>

#include <mla/error.hpp>

#include "guard.hpp"

namespace mla::capi {
namespace {

class HostAllocator final : public Allocator {
 public:
  explicit HostAllocator(const mla_allocator& functions) : functions_(functions) {}

  void* allocate(std::size_t bytes, std::size_t alignment) noexcept override {
    void* memory = functions_.allocate(functions_.user_data, bytes, alignment);
    if (reinterpret_cast<std::uintptr_t>(memory) % alignment == 0) return memory;
    functions_.deallocate(functions_.user_data, memory, bytes);  // kernels would crash on it: as good as none
    return nullptr;
  }
  void deallocate(void* memory, std::size_t bytes) noexcept override {
    functions_.deallocate(functions_.user_data, memory, bytes);
  }

 private:
  mla_allocator functions_;
};

class HostThreadPool final : public ThreadPool {
 public:
  explicit HostThreadPool(const mla_thread_pool& functions) : functions_(functions) {}

  int n_threads() const noexcept override { return functions_.n_threads; }
  bool concurrent() const noexcept override { return functions_.concurrent != 0; }

  void run(int n_tasks, TaskRef task) override {
    Operation operation{task, n_tasks, functions_.n_threads};
    functions_.run(functions_.user_data, n_tasks, &HostThreadPool::run_task, &operation);
    if (operation.error) std::rethrow_exception(operation.error);
    if (operation.n_run != n_tasks)
      throw Error(Status::invalid_argument, "the host's thread pool called " + std::to_string(operation.n_run) + " of " +
                                                std::to_string(n_tasks) + " tasks with a task and a thread number in range");
  }

 private:
  struct Operation {
    TaskRef task;
    int n_tasks, n_threads;
    std::atomic<int> n_run{0};
    std::atomic_flag failed{};
    std::exception_ptr error{};  // of the first task that failed; read when all have returned
  };

  static void run_task(void* data, int32_t task, int32_t thread) {
    auto& operation = *static_cast<Operation*>(data);
    if (task < 0 || task >= operation.n_tasks || thread < 0 || thread >= operation.n_threads) return;
    try {
      operation.task.fn(operation.task.data, task, thread);
    } catch (...) {
      if (!operation.failed.test_and_set()) operation.error = std::current_exception();
    }
    ++operation.n_run;
  }

  mla_thread_pool functions_;
};

class HostLog final : public LogSink {
 public:
  HostLog(mla_log_fn log, void* user_data) : log_(log), user_data_(user_data) {}

  void write(LogLevel level, std::string_view message) noexcept override {
    try {
      log_(user_data_, static_cast<mla_log_level>(level), std::string(message).c_str());
    } catch (...) {  // no memory for the copy: the message is lost, the work goes on
    }
  }

 private:
  mla_log_fn log_;
  void* user_data_;
};

}  // namespace

std::shared_ptr<Allocator> adapt(const mla_allocator* given) {
  if (given == nullptr) return nullptr;
  const mla_allocator functions = read_struct(given, "mla_allocator");
  not_null(functions.allocate, "mla_allocator.allocate");
  not_null(functions.deallocate, "mla_allocator.deallocate");
  return std::make_shared<HostAllocator>(functions);
}

std::shared_ptr<ThreadPool> adapt(const mla_thread_pool* given) {
  if (given == nullptr) return nullptr;
  const mla_thread_pool functions = read_struct(given, "mla_thread_pool");
  not_null(functions.run, "mla_thread_pool.run");
  if (auto pool = library_pool(functions)) return pool;
  if (functions.n_threads < 1 || functions.n_threads > max_threads)
    throw Misuse{"mla_thread_pool.n_threads is " + std::to_string(functions.n_threads) + ": use 1 to " + std::to_string(max_threads)};
  return std::make_shared<HostThreadPool>(functions);
}

std::shared_ptr<LogSink> adapt(mla_log_fn log, void* user_data) {
  return log == nullptr ? nullptr : std::make_shared<HostLog>(log, user_data);
}

ProgressCallback adapt(mla_progress_fn progress, void* user_data) {
  if (progress == nullptr) return {};
  return [=](std::string_view phase, std::uint64_t done, std::uint64_t total) {
    return progress(user_data, std::string(phase).c_str(), done, total) == 0;
  };
}

AbortCallback adapt(mla_abort_fn abort, void* user_data) {
  if (abort == nullptr) return {};
  return [=] { return abort(user_data) != 0; };
}

void write_shape(mla_cache_shape* out, const CacheShape& shape) {
  const mla_cache_shape filled = {sizeof(mla_cache_shape), shape.n_layers, shape.n_heads, shape.n_nope, shape.n_rope, shape.n_value, shape.n_latent};
  write_struct(out, filled, "shape");
}

CacheType cache_type(const mla_cache_type& field, const char* name) {
  const int value = enum_value(field, MLA_CACHE_TYPE_Q16_ROW, name);
  return value == MLA_CACHE_TYPE_DEFAULT ? KvCacheOptions{}.type_k : static_cast<CacheType>(value - MLA_CACHE_TYPE_F32);
}

}  // namespace mla::capi
