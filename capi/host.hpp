// C callbacks as the C++ interfaces of <mla/host.hpp>.
#pragma once
#include <memory>

#include <mla/host.hpp>
#include <mla/kv_cache.hpp>
#include <mla/mla.h>
#include <mla/types.hpp>

namespace mla::capi {

/// nullptr for NULL. Throws Misuse for an incomplete struct.
std::shared_ptr<Allocator> adapt(const mla_allocator* given);
/// Of a pool that mla_thread_pool_new() made: what is behind it.
std::shared_ptr<ThreadPool> adapt(const mla_thread_pool* given);
std::shared_ptr<ThreadPool> library_pool(const mla_thread_pool& given);  ///< nullptr if another made it
/// Empty for NULL.
std::shared_ptr<LogSink> adapt(mla_log_fn log, void* user_data);
ProgressCallback adapt(mla_progress_fn progress, void* user_data);
AbortCallback adapt(mla_abort_fn abort, void* user_data);

/// Fills a caller's struct up to the size that it states.
void write_shape(mla_cache_shape* out, const CacheShape& shape);

/// Throws Misuse for a number that is no type; the default is f16.
CacheType cache_type(const mla_cache_type& field, const char* name);

}  // namespace mla::capi
