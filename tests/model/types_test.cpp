// Weights of every tensor type give the logits of the same weights as floats. Runs once more with MLA_ISA=scalar, where block
// formats are multiplied in floats, so that nothing but the order of sums may differ.
#include "model/weights.hpp"
#include "platform/cpu.hpp"
#include "run_tiny.hpp"

using namespace mla;
using quant::Type;

namespace {

struct FileType {
  Type type;
  const quant::Interleaving* layout = nullptr;

  const char* name() const { return layout != nullptr ? layout->name : quant::traits(type).name; }
};

// Every type that a file may have, rows interleaved or not.
std::vector<FileType> all_file_types() {
  std::vector<FileType> found;
  for (std::uint32_t number = 0; number < 1000; ++number) {
    if (const quant::Interleaving* layout = quant::find_interleaving(number)) found.push_back({layout->base, layout});
    else if (quant::find_traits(number) != nullptr) found.push_back({static_cast<Type>(number)});
  }
  return found;
}

// Every matrix has a width that is a multiple of 256, but for k_b's 32. All experts are used: no rounding changes the choice.
const TinyShape wide{.n_vocab = 32, .n_embd = 256, .n_layers = 2, .n_ff = 256, .n_heads = 2, .n_nope = 32, .n_value = 128,
                     .n_latent = 256, .q_lora = 256, .n_experts = 3, .n_used = 3, .n_ff_expert = 256, .n_groups = 1, .sigmoid = false};

// All matrices of `model` as random blocks of the type; the routers stay floats, as in real files. Where rows can't hold its blocks,
// and for the embedding, whose rows are never interleaved, Q8_0.
void fill(TinyModel& model, const FileType& file_type) {
  unsigned seed = 1;
  for (TinyTensor& tensor : model.tensors) {
    if (tensor.shape.size() < 2 || tensor.name.find("ffn_gate_inp") != std::string::npos) continue;
    const bool fits = tensor.shape[0] % static_cast<std::uint64_t>(quant::traits(file_type.type).block_size) == 0 &&
                      (file_type.layout == nullptr || tensor.name != "token_embd.weight");
    const FileType used = fits ? file_type : FileType{Type::q8_0};
    tensor = random_blocks(tensor.name, tensor.shape, used.type, 1 / std::sqrt(static_cast<float>(tensor.shape[0])), ++seed, used.layout);
  }
}

TinyModel dequantised(TinyModel model) {
  for (TinyTensor& tensor : model.tensors) tensor = float_tensor(tensor.name, tensor.shape, tensor.floats());
  return model;
}

// Elsewhere activations are rounded to half a step of 127 of the largest in 256, before each of about ten products on the way to the
// logits. That costs 0.6 % of the product where they are normally distributed, and 2 to 3 % behind the gate of a feed-forward block,
// whose largest are ten times the usual; 3 to 7 % in all were measured. A block that is read wrong makes it 100 %.
double bound_of(Type type) {
  const bool rounded = platform::active_isa() != platform::Isa::scalar && quant::traits(type).block_size > 1;
  return rounded ? 0.15 : 1e-5;
}

double rms_difference(const Logits& got, const Logits& expected) {
  REQUIRE(got.values.size() == expected.values.size());
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < got.values.size(); ++i) {
    difference += std::pow(static_cast<double>(got.values[i]) - expected.values[i], 2);
    size += std::pow(static_cast<double>(expected.values[i]), 2);
  }
  return std::sqrt(difference / size);
}

void check_same(const std::shared_ptr<const Model>& model, const std::shared_ptr<const Model>& floats, const FileType& type,
                std::initializer_list<AttentionMode> modes) {
  for (const AttentionMode mode : modes)
    for (const int chunk : {0, 1}) {
      constexpr int n_tokens = 10;
      const double difference = rms_difference(logits_of(model, mode, chunk, n_tokens), logits_of(floats, mode, chunk, n_tokens));
      INFO(type.name() << ", " << to_string(mode) << ", chunks of " << chunk << ": " << difference);
      CHECK(difference < bound_of(type.type));
    }
}

}  // namespace

TEST_CASE("weights of every type, k_b and v_b in the file") {
  const ScratchFolder folder;
  const TinyModel layout = mainline_layout(original_layout(wide), wide);
  for (const FileType& type : all_file_types()) {
    TinyModel model = layout;
    fill(model, type);
    model.write(folder / "blocks.gguf");
    dequantised(model).write(folder / "floats.gguf");
    check_same(Model::load(folder / "blocks.gguf"), Model::load(folder / "floats.gguf"), type,
               {AttentionMode::deepseek2, AttentionMode::deepseek_mla});
  }
}

TEST_CASE("weights of every type, kv_b in the file: keys are expanded from it, and k_b is derived") {
  const ScratchFolder folder;
  const TinyModel layout = original_layout(wide);
  for (const FileType& type : all_file_types()) {
    TinyModel model = layout;
    fill(model, type);
    model.write(folder / "blocks.gguf");
    const auto blocks = Model::load(folder / "blocks.gguf");
    dequantised(model).write(folder / "floats.gguf");
    check_same(blocks, Model::load(folder / "floats.gguf"), type, {AttentionMode::deepseek2});

    // k_b in the derived type, which derive's own test proves, is what the absorbed form multiplies with.
    TinyModel derived = mainline_layout(model, wide);
    for (TinyTensor& tensor : derived.tensors)
      if (tensor.name.ends_with("attn_k_b.weight"))
        tensor = stored_as(tensor, quant::traits(type.type).block_size == 1 ? type.type : Type::q8_0);
    dequantised(derived).write(folder / "derived.gguf");
    check_same(blocks, Model::load(folder / "derived.gguf"), type, {AttentionMode::deepseek_mla});
  }
}
