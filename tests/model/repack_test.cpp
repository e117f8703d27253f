// Weights repacked at load: the same logits to the bit, in every layout and type, and a load that stops leaves nothing.
#include "model/repack.hpp"

#include <algorithm>
#include <filesystem>
#include <cstring>
#include <set>

#include "format/native_layout.hpp"
#include "kernels/int8.hpp"
#include "refusal.hpp"
#include "run_tiny.hpp"

using namespace mla;
using quant::Type;

namespace {

constexpr Type panel_types[] = {Type::q4_0, Type::q4_1, Type::q5_0, Type::q5_1, Type::q8_0,   Type::q2_k,
                                Type::q3_k, Type::q4_k, Type::q5_k, Type::q6_k, Type::iq4_nl, Type::iq4_xs};

// Widths that hold every type's blocks. kv_a has 264 rows, which aren't whole panels and stay as they are.
const TinyShape wide{.n_vocab = 32, .n_embd = 256, .n_layers = 2, .n_ff = 256, .n_heads = 2, .n_nope = 32, .n_value = 128,
                     .n_latent = 256, .q_lora = 256, .n_experts = 3, .n_used = 2, .n_ff_expert = 256, .n_groups = 1, .sigmoid = false};

TinyModel blocks_of(TinyModel model, Type type) {
  unsigned seed = 1;
  for (TinyTensor& tensor : model.tensors) {
    if (tensor.shape.size() < 2) continue;
    const bool fits = tensor.shape[0] % static_cast<std::uint64_t>(quant::traits(type).block_size) == 0;
    tensor = random_blocks(tensor.name, tensor.shape, fits ? type : Type::q8_0, 1 / std::sqrt(static_cast<float>(tensor.shape[0])), ++seed);
  }
  return model;
}

bool has_panels() { return kernels::active_int8_kernels() != nullptr; }

// Counts what is held, and has nothing to give from the n-th request on.
class CountingAllocator final : public Allocator {
 public:
  explicit CountingAllocator(int n_granted = 1'000'000) : n_granted_(n_granted) {}
  void* allocate(std::size_t bytes, std::size_t alignment) noexcept override {
    if (n_granted_-- <= 0) return nullptr;
    ++held;
    return default_allocator()->allocate(bytes, alignment);
  }
  void deallocate(void* memory, std::size_t bytes) noexcept override {
    --held;
    default_allocator()->deallocate(memory, bytes);
  }
  int held = 0;

 private:
  int n_granted_;
};

// A machine of so much memory.
struct Machine {
  ScratchFolder folder;
  platform::KernelFiles files{folder / "proc", folder / "cgroup"};
  explicit Machine(std::uint64_t kilobytes) {
    std::filesystem::create_directories(files.proc);
    write_bytes(files.proc + "/meminfo", "MemAvailable: " + std::to_string(kilobytes) + " kB\n");
  }
};

}  // namespace

TEST_CASE("repacked weights give the same logits to the bit: every type and layout, mapped and read") {
  const ScratchFolder folder;
  const TinyModel original = original_layout(wide);
  for (const TinyModel& layout : {original, mainline_layout(original, wide), ik_layout(original, wide)})
    for (const Type type : panel_types) {
      INFO(quant::traits(type).name);
      const auto in_place = load_tiny(blocks_of(layout, type), folder, {.repack = RepackMode::never});
      CHECK(in_place->info().panel_bytes == 0);
      CHECK(in_place->info().repacked_bytes == 0);
      for (const bool use_mmap : {true, false})
        for (const bool huge_pages : {true, false}) {
          const auto repacked =
              Model::load(folder / "tiny.gguf", {.use_mmap = use_mmap, .repack = RepackMode::always, .huge_pages = huge_pages});
          const ModelInfo& info = repacked->info();
          CHECK((info.panel_bytes > 0) == has_panels());
          // derived ones become panels where they are
          CHECK((info.repacked_bytes + info.derived_bytes >= info.panel_bytes && info.repacked_bytes > 0) == (use_mmap && has_panels()));
          for (const AttentionMode mode : {AttentionMode::deepseek2, AttentionMode::deepseek_mla})
            CHECK(logits_of(repacked, mode, 0, 12).values == logits_of(in_place, mode, 0, 12).values);
          CHECK(logits_of(repacked, AttentionMode::automatic, 1, 5).values == logits_of(in_place, AttentionMode::automatic, 1, 5).values);
        }
    }
}

TEST_CASE("what is read row by row is not repacked: an output that is the embedding") {
  const ScratchFolder folder;
  TinyModel model = blocks_of(original_layout(wide), Type::q4_k);
  const auto whole = load_tiny(model, folder, {.repack = RepackMode::always});
  const auto output_bytes = model.tensor("output.weight").bytes.size();
  model.remove_tensor("output.weight");
  const auto tied = load_tiny(model, folder, {.repack = RepackMode::always});
  if (has_panels()) CHECK(whole->info().panel_bytes - tied->info().panel_bytes == output_bytes);
  CHECK(logits_of(tied, AttentionMode::automatic).values ==
        logits_of(Model::load(folder / "tiny.gguf", {.repack = RepackMode::never}), AttentionMode::automatic).values);
}

TEST_CASE("heads of k_b and v_b are repacked, the file's own and those derived; parts of kv_b stay rows") {
  const ScratchFolder folder;
  const std::string path = folder / "tiny.gguf";
  const TinyModel original = original_layout(wide);
  const auto load = [&](const TinyModel& model) {
    blocks_of(model, Type::q4_k).write(path);
    return model::load_path(path, {.repack = RepackMode::always});
  };
  for (const TinyModel& layout : {mainline_layout(original, wide), ik_layout(original, wide)}) {
    const auto loaded = load(layout);
    for (const model::LayerWeights& layer : loaded.layers) {
      CHECK(layer.latent.k_b.first.in_panels == has_panels());
      CHECK(layer.latent.v_b.first.in_panels == has_panels());
      CHECK_FALSE(layer.latent.k_nope.first.in_panels);
    }
  }
  const auto loaded = load(original);
  CHECK(loaded.layers[1].latent.k_b.first.in_panels == has_panels());
  CHECK_FALSE(loaded.layers[1].latent.k_nope.first.in_panels);
  CHECK_FALSE(loaded.layers[1].latent.v_b.first.in_panels);
}

TEST_CASE("a native file: heads of k_b and v_b are in panels; where they are flat, they are repacked at load") {
  const ScratchFolder folder;
  const std::string path = folder / "tiny.gguf", native = folder / "native.gguf";
  const TinyModel original = original_layout(wide);
  for (const bool flat : {false, true}) {
    blocks_of(flat ? ik_layout(original, wide) : mainline_layout(original, wide), Type::q8_0).write(path);
    quantize_file(path, native, {.layout = FileLayout::native});
    const auto rows = Model::load(path, {.repack = RepackMode::never}), panels = Model::load(native, {.repack = RepackMode::always});
    const auto file = format::GgufFile::open(native, {});
    for (const char* name : {"blk.1.attn_k_b.weight", "blk.1.attn_v_b.weight"}) CHECK(file.find(name)->in_panels == !flat);
    if (has_panels()) CHECK((panels->info().repacked_bytes > 0) == flat);
    for (const AttentionMode mode : {AttentionMode::deepseek2, AttentionMode::deepseek_mla})
      CHECK(logits_of(panels, mode).values == logits_of(rows, mode).values);
  }
}

TEST_CASE("repacking reports its progress in bytes, and any number of threads gives the same") {
  if (!has_panels()) return;
  const ScratchFolder folder;
  const auto in_place = load_tiny(blocks_of(original_layout(wide), Type::q5_0), folder, {.repack = RepackMode::never});
  for (const int n_threads : {0, 1, 3}) {
    std::vector<std::uint64_t> done;
    std::set<std::uint64_t> totals;
    const auto progress = [&](std::string_view phase, std::uint64_t so_far, std::uint64_t total) {
      if (phase == "repack") done.push_back(so_far), totals.insert(total);
      return true;
    };
    const auto model = Model::load(folder / "tiny.gguf", {.progress = progress, .repack = RepackMode::always, .n_threads = n_threads});
    CHECK(std::ranges::is_sorted(done));
    REQUIRE(done.size() > 10);
    CHECK(done.front() == 0);
    CHECK(done.back() == model->info().panel_bytes);
    CHECK(totals == std::set{model->info().panel_bytes});
    CHECK(logits_of(model, AttentionMode::automatic).values == logits_of(in_place, AttentionMode::automatic).values);
  }
  check_refused([&] { Model::load(folder / "tiny.gguf", {.n_threads = -1}); }, Status::invalid_argument, {"n_threads is -1"});
}

TEST_CASE("repacking can be stopped at every step, and leaves nothing") {
  const ScratchFolder folder;
  blocks_of(original_layout(wide), Type::q4_k).write(folder / "tiny.gguf");
  for (const bool use_mmap : {true, false}) {
    int last = 0;
    for (bool loaded = false; !loaded; ++last) {
      const auto allocator = std::make_shared<CountingAllocator>();
      int calls = 0;
      const ModelOptions options{.use_mmap = use_mmap, .progress = [&](auto, auto, auto) { return calls++ < last; }, .allocator = allocator,
                                 .repack = RepackMode::always};
      try {
        loaded = Model::load(folder / "tiny.gguf", options) != nullptr;
      } catch (const Error& error) {
        CHECK(error.status() == Status::aborted);
        CHECK_THAT(error.what(), Catch::Contains(folder / "tiny.gguf"));
        CHECK(calls == last + 1);
      }
      CHECK(allocator->held == 0);
    }
    CHECK(last > (has_panels() ? 20 : 3));
  }
}

TEST_CASE("an allocator that has nothing to give at any request: out of memory, and nothing is left") {
  const ScratchFolder folder;
  blocks_of(original_layout(wide), Type::q4_k).write(folder / "tiny.gguf");
  for (const bool use_mmap : {true, false}) {
    for (int granted = 0;; ++granted) {
      const auto allocator = std::make_shared<CountingAllocator>(granted);
      bool loaded = false;
      try {
        loaded = Model::load(folder / "tiny.gguf", {.use_mmap = use_mmap, .allocator = allocator, .repack = RepackMode::always}) != nullptr;
      } catch (const Error& error) {
        CHECK(error.status() == Status::out_of_memory);
        CHECK_THAT(error.what(), Catch::Contains("no memory for"));
      }
      CHECK(allocator->held == 0);
      if (!loaded) continue;
      CHECK(granted > 1);
      break;
    }
  }
}

TEST_CASE(
    "weights that don't fit in memory twice are used in place, and the log says so; asked for, they are an error before anything is taken") {
  if (!has_panels()) return;
  const ScratchFolder folder;
  const std::string path = folder / "tiny.gguf";
  blocks_of(original_layout(wide), Type::q8_0).write(path);
  const auto fresh = [&](bool use_mmap) { return model::load_path(path, {.use_mmap = use_mmap, .repack = RepackMode::never}); };
  const Machine small(100), large(100'000);

  const auto log = std::make_shared<Messages>();
  auto model = fresh(true);
  model::repack(model, {.log = log}, small.files);
  CHECK(model::panel_bytes(model) == 0);
  CHECK(model.repacked.size() == 0);
  for (const std::string& text : {path, std::string("the machine has 0.00 GB left"), std::string("in place")})
    CHECK_THAT(log->text, Catch::Contains(text));

  const auto allocator = std::make_shared<CountingAllocator>(0);
  check_refused([&] { model::repack(model, {.allocator = allocator, .repack = RepackMode::always}, small.files); }, Status::out_of_memory,
                {path, "would take", "the machine has", "--no-repack", "mla-quantize --layout native"});
  log->text.clear();
  model::repack(model, {.log = log}, large.files);
  CHECK(model::panel_bytes(model) > 0);
  CHECK(log->text.empty());

  auto read = fresh(false);  // weights that the model owns change where they are
  model::repack(read, {.repack = RepackMode::always}, small.files);
  CHECK(model::panel_bytes(read) == model::panel_bytes(model));
}

TEST_CASE("a tensor in panels that is read row by row, that has none, or that has no whole panels is refused by name") {
  const ScratchFolder folder;
  const std::string path = folder / "tiny.gguf";
  TinyModel model = blocks_of(original_layout(wide), Type::q8_0);
  model.tensor("blk.0.ffn_gate.weight") = stored_as(model.tensor("blk.0.ffn_gate.weight"), Type::f16);
  model.keys.emplace_back("mla.layout", std::string("panels16"));
  model.keys.emplace_back("mla.layout.version", 1u);
  model.write(path);
  const std::string bytes = read_bytes(path);
  const auto in_panels = [&](const std::string& name) {
    const TinyTensor& tensor = model.tensor(name);
    const std::uint32_t type = format::number_in_panels(static_cast<std::uint32_t>(tensor.type));
    std::string changed = bytes;
    std::memcpy(changed.data() + changed.find(name) + name.size() + 4 + 8 * tensor.shape.size(), &type, sizeof type);
    write_bytes(path, changed);
  };
  for (const char* name :
       {"token_embd.weight", "blk.0.attn_kv_b.weight", "blk.0.ffn_gate.weight", "blk.0.attn_kv_a_mqa.weight", "output_norm.weight"}) {
    in_panels(name);
    check_refused([&] { Model::load(path); }, Status::bad_file, {path, name, "panels"});
    check_refused([&] { quantize_file(path, folder / "out.gguf", {}); }, Status::bad_file, {path, name, "panels"});
  }
  in_panels("blk.0.ffn_up.weight");
  CHECK(Model::load(path, {.repack = RepackMode::never})->info().panel_bytes ==
        (has_panels() ? model.tensor("blk.0.ffn_up.weight").bytes.size() : 0));
}
