// Generating allocates pages of the cache and nothing else: this program counts operator new on all threads, and pages.
#include "count_allocations.hpp"
#include "run_model.hpp"

using namespace mla;

namespace {

class CountingAllocator : public Allocator {
 public:
  void* allocate(std::size_t bytes, std::size_t alignment) noexcept override {
    ++count;
    return memory_->allocate(bytes, alignment);
  }
  void deallocate(void* memory, std::size_t bytes) noexcept override { memory_->deallocate(memory, bytes); }
  int count = 0;

 private:
  std::shared_ptr<Allocator> memory_ = default_allocator();
};

}  // namespace

TEST_CASE("1,000 generated tokens allocate nothing but cache pages") {
  constexpr int n_first = 3, n_tokens = 1000;
  const auto model = Model::load(demo_model);
  const auto n_vocab = static_cast<Token>(model->info().n_vocab);
  for (const AttentionMode mode : {AttentionMode::automatic, AttentionMode::deepseek2}) {
    for (const CacheType type : {CacheType::f16, CacheType::q8_0, CacheType::q16_row}) {
      const auto allocator = std::make_shared<CountingAllocator>();
      Context context(model, {.attention = mode, .n_ctx = 1024, .n_ubatch = 32, .cache_type_k = type, .cache_type_v = type, .n_threads = 2,
                              .allocator = allocator});
      Batch batch;
      const auto generate = [&](Position position) {
        batch.clear();
        batch.add(position % n_vocab, position, 0, true);
        context.decode(batch);
      };
      for (Position position = 0; position < n_first; ++position) generate(position);
      const int before = n_allocations, memory_before = allocator->count;
      for (Position position = n_first; position < n_first + n_tokens; ++position) generate(position);
      const int after = n_allocations, memory_after = allocator->count;
      INFO(to_string(mode) << ", " << to_string(type));
      CHECK(before > 0);
      CHECK(after == before);
      CHECK(memory_after - memory_before == (n_first + n_tokens - 1) / KvCache::page_rows);  // all but the first page
    }
  }
}
