#include "server/cache_setup.hpp"

#include <string>

#include <mla/error.hpp>

#include "server/scheduler.hpp"

namespace server {

int pages_of(int n_tokens) { return n_tokens / mla::KvCache::page_rows + 2; }

std::shared_ptr<mla::KvCache> make_kv_cache(const mla::Model& model, const mla::ContextOptions& context, const SchedulerOptions& options) {
  const bool expanded = context.attention == mla::AttentionMode::deepseek2;
  mla::KvCacheOptions cache{expanded ? mla::CacheLayout::expanded : mla::CacheLayout::latent, mla::KvCache::page_rows, context.cache_type_k,
                            context.cache_type_v, context.allocator};
  const std::uint64_t page_bytes = mla::KvCache::bytes_at_capacity(model.cache_shape(), cache);
  const std::uint64_t pages =
      static_cast<std::uint64_t>(options.n_slots) * static_cast<std::uint64_t>(pages_of(options.n_ctx)) + options.cache_ram / page_bytes;
  constexpr std::uint64_t most = (std::uint64_t{1} << 30) / mla::KvCache::page_rows;
  if (pages > most)
    throw mla::Error(mla::Status::invalid_argument, "the KV cache would have " + std::to_string(pages * mla::KvCache::page_rows) +
                                                        " rows, more than 2^30: lower --ctx-size, --parallel or --cache-ram");
  cache.n_ctx = static_cast<int>(pages) * mla::KvCache::page_rows;
  return std::make_shared<mla::KvCache>(model.cache_shape(), cache);
}

std::unique_ptr<DiskCache> make_disk_cache(const mla::Model& model, const mla::KvCache& kv, const SchedulerOptions& options) {
  if (options.cache_dir.empty()) return nullptr;
  return std::make_unique<DiskCache>(options.cache_dir, options.cache_disk, model.cache_model().fingerprint, kv.options());
}

}  // namespace server
