// Files whose rows are interleaved: restored in memory of the model's own. That their logits are right is in types_test.cpp.
#include <functional>

#include "refusal.hpp"
#include "run_tiny.hpp"

using namespace mla;
using quant::Type;

namespace {

const TinyShape shape{.n_vocab = 32, .n_embd = 256, .n_layers = 2, .n_ff = 256, .n_heads = 2, .n_nope = 32, .n_value = 128,
                      .n_latent = 256, .q_lora = 256, .n_experts = 3, .n_used = 3, .n_ff_expert = 256, .n_groups = 1, .sigmoid = false};

TinyModel with_interleaved(const std::function<bool(const std::string& name)>& chosen) {
  const quant::Interleaving* layout = quant::find_interleaving(212);
  TinyModel model = mainline_layout(original_layout(shape), shape);
  for (TinyTensor& tensor : model.tensors)
    if (chosen(tensor.name)) tensor = random_blocks(tensor.name, tensor.shape, layout->base, 0.06f, 7, layout);
  return model;
}

bool is_expert(const std::string& name) { return name.ends_with("_exps.weight"); }

std::uint64_t bytes_of(const TinyModel& model, const std::function<bool(const std::string& name)>& chosen) {
  std::uint64_t sum = 0;
  for (const TinyTensor& tensor : model.tensors) sum += chosen(tensor.name) ? tensor.bytes.size() : 0;
  return sum;
}

}  // namespace

TEST_CASE("the memory of restored rows is told, whether the file is mapped or read") {
  const ScratchFolder folder;
  const TinyModel model = with_interleaved(is_expert);
  model.write(folder / "tiny.gguf");
  for (const bool use_mmap : {true, false})
    CHECK(Model::load(folder / "tiny.gguf", {.use_mmap = use_mmap})->info().derived_bytes == bytes_of(model, is_expert));
}

TEST_CASE("a stack of two dimensions is restored as one of three") {
  const ScratchFolder folder;
  const auto is_v_b = [](const std::string& name) { return name.ends_with("attn_v_b.weight"); };
  TinyModel model = with_interleaved(is_v_b);
  model.write(folder / "deep.gguf");
  const Logits deep = logits_of(Model::load(folder / "deep.gguf"), AttentionMode::deepseek_mla);
  for (TinyTensor& tensor : model.tensors)
    if (is_v_b(tensor.name)) tensor.shape = {tensor.shape[0], tensor.shape[1] * tensor.shape[2]};
  model.write(folder / "flat.gguf");
  CHECK(logits_of(Model::load(folder / "flat.gguf"), AttentionMode::deepseek_mla).values == deep.values);
}

TEST_CASE("restoring reports progress and can be stopped within a layer") {
  const ScratchFolder folder;
  with_interleaved(is_expert).write(folder / "tiny.gguf");
  int calls = 0;
  std::uint64_t layers_done = 0;
  Model::load(folder / "tiny.gguf", {.progress = [&](std::string_view phase, std::uint64_t done, std::uint64_t total) {
    if (phase != "derive") return true;
    CHECK(done >= layers_done);
    CHECK(total == 2);
    layers_done = done;
    return ++calls > 0;
  }});
  CHECK(calls == 3 + 3);  // before each layer and at the end, and once for each matrix of the one layer with experts
  for (int last = 0; last < calls; ++last) {
    int so_far = 0;
    const ModelOptions options{.progress = [&](std::string_view phase, auto, auto) { return phase != "derive" || so_far++ < last; }};
    check_refused([&] { Model::load(folder / "tiny.gguf", options); }, Status::aborted, {folder / "tiny.gguf"});
    CHECK(so_far == last + 1);
  }
}

TEST_CASE("an interleaved embedding is refused by name") {
  const ScratchFolder folder;
  with_interleaved([](const std::string& name) { return name == "token_embd.weight"; }).write(folder / "tiny.gguf");
  check_refused([&] { Model::load(folder / "tiny.gguf"); }, Status::bad_file, {folder / "tiny.gguf", "token_embd.weight", "Q4_K_R4"});
}
