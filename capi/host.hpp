// C callbacks as the C++ interfaces of <mla/host.hpp>.
#pragma once
#include <memory>

#include <mla/host.hpp>
#include <mla/mla.h>
#include <mla/types.hpp>

namespace mla::capi {

/// nullptr for NULL. Throws Misuse for an incomplete struct.
std::shared_ptr<Allocator> adapt(const mla_allocator* given);
std::shared_ptr<ThreadPool> adapt(const mla_thread_pool* given);
/// Empty for NULL.
std::shared_ptr<LogSink> adapt(mla_log_fn log, void* user_data);
ProgressCallback adapt(mla_progress_fn progress, void* user_data);
AbortCallback adapt(mla_abort_fn abort, void* user_data);

/// Throws Misuse for a number that is no type; the default is f16.
CacheType cache_type(const mla_cache_type& field, const char* name);

}  // namespace mla::capi
