// memory_need(): what is said is what is taken.
#include <mla/inspect.hpp>

#include <mutex>

#include "demo_variant.hpp"
#include "refusal.hpp"
#include "run_model.hpp"
#include "scratch_folder.hpp"

using namespace mla;

namespace {

class Counting final : public Allocator {
 public:
  void* allocate(std::size_t n, std::size_t alignment) noexcept override {
    bytes += n;
    return default_allocator()->allocate(n, alignment);
  }
  void deallocate(void* memory, std::size_t n) noexcept override {
    bytes -= n;
    default_allocator()->deallocate(memory, n);
  }
  std::uint64_t bytes = 0;
};

// Loads the file, fills a context's cache, and compares every part.
void check_need(const std::string& path, ContextOptions options) {
  INFO(path << ", " << to_string(options.attention) << ", " << options.n_threads << " threads, ubatch " << options.n_ubatch);
  const MemoryNeed need = memory_need(path, options);
  const auto of_model = std::make_shared<Counting>(), of_context = std::make_shared<Counting>();
  ModelOptions model_options;
  model_options.allocator = of_model;
  model_options.repack = RepackMode::always;
  const auto model = Model::load(path, model_options);
  CHECK(need.weights == model->info().weight_bytes);
  CHECK(need.derived == model->info().derived_bytes);
  CHECK(need.repacked == model->info().repacked_bytes);
  CHECK(need.derived + need.repacked == of_model->bytes);

  options.allocator = of_context;
  Context context(model, options);
  Batch batch;
  for (int i = 0; i < options.n_ctx; ++i) batch.add(i % 40, i, 0, i + 1 == options.n_ctx);
  context.decode(batch);
  CHECK(need.cache == context.cache().bytes());
  CHECK(need.cache + need.context == of_context->bytes);
  CHECK(need.total() == need.weights + need.derived + need.cache + need.context);
  CHECK(need.room > 0);
  CHECK(need.fits());
  CHECK_FALSE(need.runs_from_disk());
}

}  // namespace

TEST_CASE("what memory_need() says is what a model and a context take") {
  const ScratchFolder folder;
  write_demo_variant(folder / "q8.gguf", {.type = quant::Type::q8_0});
  for (const std::string& path : {demo_model, folder / "q8.gguf"})
    for (const AttentionMode mode : {AttentionMode::automatic, AttentionMode::deepseek2, AttentionMode::deepseek_mla}) {
      ContextOptions options;
      options.attention = mode;
      options.n_ctx = 128, options.n_ubatch = 32, options.n_threads = 2;
      check_need(path, options);
      options.n_ctx = 192, options.n_ubatch = 7, options.n_threads = 1, options.n_threads_batch = 3;
      options.cache_type_k = options.cache_type_v = CacheType::q8_0;
      check_need(path, options);
    }
}

TEST_CASE("whether it fits goes by what the system can't drop") {
  MemoryNeed need{.weights = 100, .derived = 10, .cache = 20, .context = 30, .room = 160, .limit = {}};
  CHECK(need.fits());
  need.room = 159;
  CHECK_FALSE(need.fits());
  CHECK(need.runs_from_disk());
  need.room = 60;
  CHECK(need.runs_from_disk());
  need.room = 59;
  CHECK_FALSE(need.runs_from_disk());
}

TEST_CASE("memory_need() refuses what a context refuses") {
  ContextOptions options;
  check_refused([&] { memory_need("/nowhere/none.gguf", options); }, Status::not_found, {"none.gguf"});
  options.n_ubatch = 0;
  check_refused([&] { memory_need(demo_model, options); }, Status::invalid_argument, {"n_ubatch"});
  options.n_ubatch = 512, options.n_ctx = -1;
  check_refused([&] { memory_need(demo_model, options); }, Status::invalid_argument, {"-1"});
}
