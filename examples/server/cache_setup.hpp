// The caches of a scheduler, by its options.
#pragma once
#include <memory>

#include <mla/context.hpp>

#include "server/disk_cache.hpp"

namespace server {

struct SchedulerOptions;

/// Pages that a sequence of so many tokens may hold, a copy of a shared one included.
int pages_of(int n_tokens);

/// Room for all slots at their longest, and for what the prompt cache may hold beside them. Throws mla::Error.
std::shared_ptr<mla::KvCache> make_kv_cache(const mla::Model& model, const mla::ContextOptions& context, const SchedulerOptions& options);

/// Null without a folder.
std::unique_ptr<DiskCache> make_disk_cache(const mla::Model& model, const mla::KvCache& kv, const SchedulerOptions& options);

}  // namespace server
