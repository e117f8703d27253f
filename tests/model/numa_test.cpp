// Weights on machines of several memory nodes: where they go, that logits are the same to the bit, and refusals before memory is taken.
#include <cstring>

#include "engine/model_impl.hpp"
#include "fake_nodes.hpp"
#include "model/repack.hpp"
#include "refusal.hpp"
#include "run_tiny.hpp"

using namespace mla;
using quant::Type;

namespace {

const TinyShape shape{.n_vocab = 200, .n_embd = 256, .n_layers = 2, .n_ff = 320, .n_heads = 2, .n_nope = 32, .n_value = 128,
                      .n_latent = 256, .q_lora = 256, .n_experts = 3, .n_used = 2, .n_ff_expert = 288, .n_groups = 1, .sigmoid = false};

std::string write_tiny(const ScratchFolder& folder) {
  TinyModel model = original_layout(shape);
  unsigned seed = 1;
  for (TinyTensor& tensor : model.tensors)
    if (tensor.shape.size() >= 2) tensor = random_blocks(tensor.name, tensor.shape, Type::q8_0, 0.06f, ++seed);
  const std::string path = folder / "tiny.gguf";
  model.write(path);
  return path;
}

// A model as it would be loaded on a machine of such nodes.
std::shared_ptr<const Model> load_on(const std::string& path, std::shared_ptr<const platform::NumaPlan> plan, RepackMode repack) {
  auto model = Model::load(path, {.repack = RepackMode::never});
  auto& loaded = const_cast<Model::Impl&>(model->impl()).loaded;  // not shared yet
  loaded.numa = std::move(plan);
  model::repack(loaded, {.repack = repack});
  return model;
}

std::vector<float> logits_on(const std::shared_ptr<const Model>& model, AttentionMode mode, int n_threads) {
  Context context(model, {.attention = mode, .n_ctx = 64, .n_threads = n_threads, .attention_rates = fixed_rates});
  Batch batch;
  for (int i = 0; i < 9; ++i) batch.add(i * 7 % shape.n_vocab, i, 0, i == 8);
  context.decode(batch);
  batch.clear();
  batch.add(11, 9, 0, true);
  context.decode(batch);
  return {context.logits().begin(), context.logits().end()};
}

struct Machine {
  ScratchFolder folder;
  platform::KernelFiles files{folder / "proc", folder / "cgroup", folder / "sys"};
  Machine(std::uint64_t kilobytes, std::uint64_t kilobytes_of_node_2) {
    std::filesystem::create_directories(files.proc);
    write_bytes(files.proc + "/meminfo", "MemAvailable: " + std::to_string(kilobytes) + " kB\n");
    const std::string node = files.sys + "/devices/system/node/node2";
    std::filesystem::create_directories(node);
    write_bytes(node + "/meminfo", "Node 2 MemFree: " + std::to_string(kilobytes_of_node_2) + " kB\n");
  }
};

}  // namespace

TEST_CASE("one, two and four nodes give the same logits to the bit") {
  const ScratchFolder folder;
  const std::string path = write_tiny(folder);
  const auto plain = Model::load(path, {.repack = RepackMode::never});
  for (const AttentionMode mode : {AttentionMode::automatic, AttentionMode::deepseek2, AttentionMode::deepseek_mla}) {
    const std::vector<float> expected = logits_on(plain, mode, 2);
    for (const Numa numa : {Numa::distribute, Numa::isolate, Numa::numactl, Numa::split, Numa::replicate})
      for (const int n_nodes : {1, 2, 4})
        for (const RepackMode repack : {RepackMode::never, RepackMode::always}) {
          INFO(to_string(numa) << " on " << n_nodes << " nodes");
          const auto model = load_on(path, fake_plan(numa, n_nodes), repack);
          for (const int n_threads : {1, 3, 4}) CHECK(logits_on(model, mode, n_threads) == expected);
        }
  }
}

TEST_CASE("memory comes from every node in turn, and the loading thread's policy is put back") {
  const ScratchFolder folder;
  const std::string path = write_tiny(folder);
  for (const int n_nodes : {2, 4})
    for (const Numa numa : {Numa::split, Numa::replicate}) {
      const auto memory = std::make_shared<RecordedMemory>();
      const auto model = load_on(path, fake_plan(numa, n_nodes, memory), RepackMode::automatic);
      for (int node = 0; node < n_nodes; ++node) CHECK(memory->calls(2 * node) > 0);
      CHECK(memory->calls(RecordedMemory::saves) == memory->calls(RecordedMemory::restores));
      const auto& loaded = model->impl().loaded;
      CHECK(loaded.derived.empty());  // k_b has moved to where it is read
      CHECK(loaded.copies.size() == static_cast<std::size_t>(numa == Numa::replicate ? n_nodes - 1 : 0));
      for (const platform::Buffer& copy : loaded.copies) {
        REQUIRE(copy.size() == loaded.repacked.size());
        // The padding between matrices is nobody's: compare what a matrix holds.
        const kernels::Matrix& w = loaded.layers[0].attention_out;
        CHECK(std::memcmp(copy.data() + (w.data - loaded.repacked.data()), w.data, w.bytes()) == 0);
      }
    }
  const auto memory = std::make_shared<RecordedMemory>();
  const auto unplaced = load_on(path, fake_plan(Numa::numactl, 2, memory), RepackMode::automatic);
  CHECK(unplaced->impl().loaded.derived.size() == static_cast<std::size_t>(shape.n_layers));
  CHECK(memory->calls(RecordedMemory::saves) == 0);  // numactl's own policy holds
}

TEST_CASE("copies that don't fit are refused with figures, before memory is taken") {
  const ScratchFolder folder;
  const std::string path = write_tiny(folder);
  auto model = model::load_path(path, {.repack = RepackMode::never});
  model.numa = fake_plan(Numa::replicate, 4);
  const Machine small(100, 0), lopsided(10'000'000, 10);
  check_refused([&] { model::repack(model, {}, small.files); }, Status::out_of_memory,
                {path, "NUMA mode replicate needs 0.01 GB for 4 copies", "the machine has 0.00 GB left", "use split"});
  check_refused([&] { model::repack(model, {}, lopsided.files); }, Status::out_of_memory,
                {path, "on each node, and node 2 has 0.00 GB left"});
  model.numa = fake_plan(Numa::split, 2);
  check_refused([&] { model::repack(model, {}, small.files); }, Status::out_of_memory,
                {"NUMA mode split needs", "a copy", "use distribute"});
  CHECK(model.repacked.size() == 0);
  CHECK(model.copies.empty());
}

TEST_CASE("split and replicate take weights out of a mapped file") {
  const ScratchFolder folder;
  const std::string path = write_tiny(folder);
  for (const Numa numa : {Numa::split, Numa::replicate}) {
    check_refused([&] { Model::load(path, {.use_mmap = false, .numa = numa}); }, Status::invalid_argument, {to_string(numa), "--no-mmap"});
    CHECK(logits_on(Model::load(path, {.numa = numa}), AttentionMode::automatic, 2) ==
          logits_on(Model::load(path), AttentionMode::automatic, 2));  // this machine, whatever it has
  }
}
