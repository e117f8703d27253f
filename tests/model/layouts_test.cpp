// One set of weights in every layout that files come in: the logits are the same.
#include "model/weights.hpp"
#include "refusal.hpp"
#include "run_tiny.hpp"

using namespace mla;
using quant::Type;

namespace {

// F32 weights in another layout take part in the same sums, at most in another order.
constexpr double bound = 1e-5;

void check_same(const std::shared_ptr<const Model>& model, const Logits& reference, const std::string& what) {
  for (const AttentionMode mode : all_modes)
    for (const int chunk : {0, 5, 1}) {
      INFO(what << ", " << to_string(mode) << ", chunks of " << chunk);
      CHECK(relative_difference(logits_of(model, mode, chunk), reference) < bound);
    }
}

}  // namespace

TEST_CASE("original, mainline and ik layouts, with and without q_lora, give the same logits in every mode") {
  const TinyShape v3, lite{.q_lora = 0, .n_groups = 1, .sigmoid = false}, v2{.sigmoid = false};
  const TinyShape odd{.n_heads = 5, .n_nope = 20, .n_rope = 4, .n_value = 28, .n_latent = 36};
  for (const TinyShape& shape : {v3, lite, v2, odd}) {
    INFO("q_lora " << shape.q_lora << ", sigmoid " << shape.sigmoid << ", " << shape.n_heads << " heads");
    const ScratchFolder folder;
    const TinyModel original = original_layout(shape);
    const auto first = load_tiny(original, folder);
    const Logits reference = logits_of(first, AttentionMode::deepseek2);
    CHECK(first->info().derived_bytes > 0);
    check_same(first, reference, "original");
    const auto mainline = load_tiny(mainline_layout(original, shape), folder);
    CHECK(mainline->info().derived_bytes == 0);
    CHECK(mainline->cache_shape() == first->cache_shape());
    check_same(mainline, reference, "mainline");
    const auto ik = load_tiny(ik_layout(original, shape), folder);
    CHECK(ik->cache_shape() == first->cache_shape());
    check_same(ik, reference, "ik");

    Logits other = logits_of(load_tiny(original_layout(shape, 2), folder), AttentionMode::deepseek2);
    CHECK(relative_difference(other, reference) > 0.1);  // otherwise the weights play no part
  }
}

TEST_CASE("split into parts, whichever is named; version 2; read instead of mapped: the same bits") {
  const TinyShape shape;
  const ScratchFolder folder;
  const TinyModel original = original_layout(shape);
  const Logits reference = logits_of(load_tiny(original, folder), AttentionMode::automatic);
  for (const int n_parts : {1, 2, 3, 7}) {
    for (const std::string& part : original.write_split(folder / ("split" + std::to_string(n_parts)), n_parts)) {
      INFO(part);
      CHECK(logits_of(Model::load(part), AttentionMode::automatic).values == reference.values);
      CHECK(logits_of(Model::load(part, {.use_mmap = false}), AttentionMode::automatic).values == reference.values);
    }
  }
  std::string bytes = read_bytes(folder / "tiny.gguf");
  bytes[4] = 2;
  write_bytes(folder / "v2.gguf", bytes);
  CHECK(logits_of(Model::load(folder / "v2.gguf"), AttentionMode::automatic).values == reference.values);
}

TEST_CASE("an experts' stack in two dimensions, norms in other types, and tied embeddings") {
  const TinyShape shape{.n_embd = 64};
  const ScratchFolder folder;
  TinyModel model = original_layout(shape);
  for (TinyTensor& tensor : model.tensors)
    if (tensor.shape.size() == 1) tensor = stored_as(tensor, Type::bf16);
  const Logits rounded = logits_of(load_tiny(model, folder), AttentionMode::deepseek2);
  CHECK(load_tiny(model, folder)->info().derived_bytes > 0);
  for (TinyTensor& tensor : model.tensors) {
    if (tensor.shape.size() == 1) tensor = stored_as(tensor, Type::f32);
    if (tensor.shape.size() == 3) tensor.shape = {tensor.shape[0], tensor.shape[1] * tensor.shape[2]};
  }
  CHECK(logits_of(load_tiny(model, folder), AttentionMode::deepseek2).values == rounded.values);

  model.tensor("output.weight").bytes = model.tensor("token_embd.weight").bytes;
  const Logits own = logits_of(load_tiny(model, folder), AttentionMode::deepseek2);
  model.remove_tensor("output.weight");
  CHECK(logits_of(load_tiny(model, folder), AttentionMode::deepseek2).values == own.values);
}

TEST_CASE("whether q is one matrix is decided by the key") {
  const ScratchFolder folder;
  const std::string path = folder / "tiny.gguf";
  const TinyShape lite{.q_lora = 0};
  TinyModel model = original_layout(lite);
  const Logits reference = logits_of(load_tiny(model, folder), AttentionMode::deepseek2);
  model.set("attention.q_lora_rank", 0u);
  CHECK(logits_of(load_tiny(model, folder), AttentionMode::deepseek2).values == reference.values);
  model.set("attention.q_lora_rank", 20u);
  check_refused([&] { load_tiny(model, folder); }, Status::bad_file, {path, "tensor blk.0.attn_q_a.weight is missing"});
  TinyModel with = original_layout(TinyShape{});
  with.remove_key("attention.q_lora_rank");
  check_refused([&] { load_tiny(with, folder); }, Status::bad_file, {path, "tensor blk.0.attn_q.weight is missing"});
}

TEST_CASE("layers of multi-token prediction are left out, and only those that the key announces") {
  const ScratchFolder folder;
  TinyModel model = original_layout(TinyShape{});
  const Logits reference = logits_of(load_tiny(model, folder), AttentionMode::deepseek2);
  model.tensors.push_back(float_tensor("blk.3.nextn.eh_proj.weight", {2}, {1, 2}));
  check_refused([&] { load_tiny(model, folder); }, Status::unsupported, {folder.path(), "tensor blk.3.nextn.eh_proj.weight"});
  model.set("block_count", 4u);
  model.set("nextn_predict_layers", 1u);
  const auto loaded = load_tiny(model, folder);
  CHECK(loaded->info().n_layers == 3);
  CHECK(logits_of(loaded, AttentionMode::deepseek2).values == reference.values);
  model.tensors.push_back(float_tensor("blk.4.nextn.eh_proj.weight", {2}, {1, 2}));
  check_refused([&] { load_tiny(model, folder); }, Status::unsupported, {folder.path(), "tensor blk.4.nextn.eh_proj.weight"});
}

TEST_CASE("k_b derived from kv_b: a float type is kept, a block type becomes Q8_0, or F16 where rows don't fit") {
  const ScratchFolder folder;
  const std::string path = folder / "tiny.gguf";
  for (const int n_nope : {32, 24}) {
    const TinyShape shape{.n_nope = n_nope, .n_latent = 256};
    TinyModel model = original_layout(shape);
    for (const Type type : {Type::f32, Type::f16, Type::bf16, Type::q4_0, Type::q4_1, Type::q5_0, Type::q5_1, Type::q8_0, Type::q2_k,
                            Type::q3_k, Type::q4_k, Type::q5_k, Type::q6_k, Type::iq4_nl, Type::iq4_xs}) {
      INFO(quant::traits(type).name << ", rows of " << n_nope);
      TinyTensor& kv_b = model.tensor("blk.1.attn_kv_b.weight");
      kv_b = random_blocks(kv_b.name, kv_b.shape, type, 1.0f / 16, 5);
      model.write(path);
      const auto loaded = model::load_path(path, {.repack = RepackMode::never});
      const kernels::MatrixStack& k_b = loaded.layers[1].latent.k_b;
      const bool is_float = quant::traits(type).block_size == 1;
      CHECK(k_b.first.type == (is_float ? type : n_nope == 32 ? Type::q8_0 : Type::f16));

      // The same, made here: each head's key rows, transposed, then stored as that type.
      TinyTensor expected = mainline_layout(model, shape).tensor("blk.1.attn_k_b.weight");
      expected = stored_as(expected, k_b.first.type);
      REQUIRE(k_b.count == shape.n_heads);
      CHECK(k_b.stride * static_cast<std::size_t>(shape.n_heads) == expected.bytes.size());
      CHECK(std::equal(expected.bytes.begin(), expected.bytes.end(), k_b.first.data));
    }
  }
}
