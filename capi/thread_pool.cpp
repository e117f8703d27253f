// The library's own threads, as a pool that a host hands from context to context.
#include <mla/host.hpp>

#include "guard.hpp"
#include "host.hpp"

using namespace mla::capi;

namespace {

struct LibraryPool {
  mla_thread_pool functions;  // what the host holds; first, so that one leads to the other
  std::shared_ptr<mla::ThreadPool> pool;
};

// For hosts that call it themselves: contexts get the pool behind it. It doesn't compute in a child of the process that made it.
void run_tasks(void* user_data, int32_t n_tasks, mla_task_fn fn, void* data) {
  (void)guarded("mla_thread_pool.run", [&] { static_cast<LibraryPool*>(user_data)->pool->run(n_tasks, {fn, data}); });
}

}  // namespace

namespace mla::capi {

std::shared_ptr<ThreadPool> library_pool(const mla_thread_pool& given) {
  return given.run == run_tasks ? static_cast<const LibraryPool*>(given.user_data)->pool : nullptr;
}

}  // namespace mla::capi

int32_t mla_default_threads(void) {
  return property<int32_t>(__func__, 1, [] { return mla::default_threads(); });
}

mla_status mla_thread_pool_new(mla_thread_pool** out, const mla_thread_pool_options* options) {
  return guarded(__func__, [&] {
    clear_out(out);
    const mla_thread_pool_options given = read_struct(options, "mla_thread_pool_options");
    mla::ThreadPoolOptions translated;
    translated.n_threads = given.n_threads;
    translated.numa = static_cast<mla::Numa>(enum_value(given.numa, MLA_NUMA_REPLICATE, "mla_thread_pool_options.numa"));
    translated.pin = given.pin_threads != 0;
    auto handle = std::make_unique<LibraryPool>();
    handle->pool = mla::make_thread_pool(translated);
    handle->functions = {sizeof(mla_thread_pool), handle->pool->n_threads(), run_tasks, handle.get(), 0};
    *out = &handle.release()->functions;
  });
}

void mla_thread_pool_free(mla_thread_pool* pool) {
  if (pool == nullptr) return;
  (void)guarded(__func__, [&] {
    if (pool->run != run_tasks) throw Misuse{"the pool was not made by mla_thread_pool_new()"};
    delete static_cast<LibraryPool*>(pool->user_data);
  });
}
