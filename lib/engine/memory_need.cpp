#include <algorithm>
#include <mla/inspect.hpp>

#include "engine/forward.hpp"
#include "model/footprint.hpp"
#include "model/inspect.hpp"
#include "platform/counting_allocator.hpp"
#include "platform/fail.hpp"
#include "platform/memory_room.hpp"

namespace mla {
namespace {

int most_threads(const ContextOptions& o) {
  if (o.thread_pool) return o.thread_pool->n_threads();
  return std::max(o.n_threads > 0 ? o.n_threads : default_threads(), o.n_threads_batch);
}

std::uint64_t context_bytes(const model::Config& config, ContextOptions o) {
  o.n_ubatch = engine::largest_ubatch(o);
  // Memory that is counted and never touched, so that the system gives none.
  const auto counter = std::make_shared<platform::CountingAllocator>();
  model::LoadedModel model;
  model.config = config;
  const engine::Forward forward(model, o, counter);
  return counter->bytes() + platform::Executor::scratch_bytes(engine::Forward::scratch_floats(model, o.n_ubatch), most_threads(o)) +
         static_cast<std::uint64_t>(config.n_vocab) * sizeof(float);
}

}  // namespace

MemoryNeed memory_need(const std::string& path, const ContextOptions& options) {
  const model::HfFolder opened = model::open_to_look(path, {});
  const format::GgufFile& file = opened.file;
  model::Config config = model::read_config(file, {}, nullptr);
  if (const format::TensorInfo* table = file.find("token_embd.weight"); config.n_vocab == 0 && table != nullptr && table->shape.size() == 2)
    config.n_vocab = static_cast<int>(std::min<std::uint64_t>(table->shape[1], 1 << 24));
  const model::Footprint weights = model::footprint(file, config);
  const platform::MemoryRoom room = platform::memory_room();
  MemoryNeed need{.weights = weights.weights, .repacked = weights.repacked, .derived = weights.derived + opened.memory_bytes(), .room = room.bytes, .limit = room.limit};
  const CacheLayout layout = options.attention == AttentionMode::deepseek2 ? CacheLayout::expanded : CacheLayout::latent;
  need.cache = KvCache::bytes_at_capacity(config.shape, {layout, options.n_ctx, options.cache_type_k, options.cache_type_v, nullptr});
  need.context = context_bytes(config, options);
  return need;
}

}  // namespace mla
