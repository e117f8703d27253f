// Model files damaged by single bits, cut anywhere: refused, or loaded and run to whatever logits, without a crash.
#include <mla/convert.hpp>
#include <mla/inspect.hpp>

#include "damage.hpp"
#include "hf_folder.hpp"
#include "run_tiny.hpp"
#include "sweep.hpp"

using namespace mla;

namespace {

const TinyShape with_tokenizer{.n_vocab = 260, .n_layers = 2, .tokenizer = true};

// A weight may have become infinite: logits may be anything.
void load_and_run(const std::string& path, bool use_mmap) {
  const auto model = Model::load(path, {.use_mmap = use_mmap});
  for (const AttentionMode mode : all_modes) {
    Context context(model, {.attention = mode, .n_ctx = 64, .n_ubatch = 4, .n_threads = 1});
    context.decode(Batch::of({1, 0, 5}));
    context.decode(Batch::of({2}, 3));
  }
}

std::size_t header_bytes(const std::string& path) {
  const FileInfo info = inspect_file(path);
  std::size_t bytes = static_cast<std::size_t>(info.file_bytes);
  for (const FileInfo::Tensor& tensor : info.tensors) bytes -= (tensor.bytes + 31) / 32 * 32;
  return bytes;
}

// Some bits of the header, a few of the weights; or, in the suite labelled full, all of the header and more of the weights.
std::function<bool(std::size_t)> chosen(std::size_t header, unsigned one_in, unsigned of_data) {
  auto random = std::make_shared<std::mt19937>(3);
  return [=](std::size_t bit) { return (*random)() % (bit < 8 * header ? one_in : of_data) == 0; };
}

void sweep_model(const TinyModel& model, bool use_mmap, unsigned one_in, unsigned of_data) {
  const ScratchFolder folder;
  model.write(folder / "good.gguf");
  DamagedFile file(folder / "model.gguf", read_bytes(folder / "good.gguf"));
  // The engine's own buffers come from its allocator: operator new sees lists of pages, tensors, tokens.
  flip_bits(file, [&] { load_and_run(file.path(), use_mmap); }, 64 * file.size(), chosen(header_bytes(file.path()), one_in, of_data));
}

}  // namespace

TEST_CASE("flipped bits in a model with a tokenizer") {
  sweep_model(original_layout(with_tokenizer), true, sweep::full ? 1 : 40, sweep::full ? 1'000 : 20'000);
}

TEST_CASE("flipped bits in a model in the layout with k_b and v_b, softmax routing, read instead of mapped") {
  const TinyShape shape{.n_layers = 2, .q_lora = 0, .sigmoid = false};
  sweep_model(mainline_layout(original_layout(shape), shape), false, sweep::full ? 1 : 20, sweep::full ? 300 : 10'000);
}

TEST_CASE("flipped bits in quantised weights") {
  const TinyShape shape{.n_vocab = 16, .n_embd = 256, .n_layers = 2, .n_ff = 32, .n_heads = 1, .n_nope = 32, .n_value = 32,
                        .n_latent = 32, .q_lora = 32, .n_experts = 4, .n_used = 2, .n_ff_expert = 32, .n_groups = 1};
  TinyModel model = original_layout(shape);
  for (TinyTensor& tensor : model.tensors)
    if (tensor.shape.size() > 1 && tensor.name.find("inp") == std::string::npos)
      tensor = random_blocks(tensor.name, tensor.shape, tensor.shape[0] == 256 ? quant::Type::q4_k : quant::Type::q5_0, 0.1f, 3);
  sweep_model(model, true, sweep::full ? 4 : 400, sweep::full ? 200 : 5'000);
}

TEST_CASE("a model cut anywhere") {
  const ScratchFolder folder;
  original_layout(with_tokenizer).write(folder / "good.gguf");
  const std::string good = read_bytes(folder / "good.gguf");
  DamagedFile file(folder / "model.gguf", good);
  const std::size_t header = header_bytes(file.path());
  const std::size_t step = sweep::full ? 1 : 97;
  for (std::size_t size = good.size() - 1; size > 50 * step; size -= size > 2 * header ? 50 * step : step) {
    file.cut(size);
    const bool loaded = load_or_refuse([&] { Model::load(file.path()); }, file.path(), "cut to " + std::to_string(size) + " bytes").loaded;
    CHECK((!loaded || good.size() - size < 32));  // or padding alone is missing
  }
}

TEST_CASE("flipped bits in a Hugging Face folder") {
  const ScratchFolder folder, out;
  const TinyShape shape{.n_layers = 2};
  const HfFolder hf = hf_folder(original_layout(shape), shape);
  hf.write(folder.path());
  const auto convert = [&] {
    convert_huggingface(folder.path(), out / "model.gguf", {.type = "q8_0"});
    load_and_run(out / "model.gguf", true);
  };
  for (const char* name : {"config.json", "model.safetensors"}) {
    const std::string bytes = read_bytes(folder / name);
    const std::size_t header = std::min(bytes.size(), 8 + bytes.find('\0', 8));
    DamagedFile file(folder / name, bytes);
    // A conversion works on pieces of tensors, a megabyte of output is buffered, and JSON takes many times its text.
    flip_bits(file, convert, std::size_t{4} << 20, chosen(header, sweep::full ? 3 : 50, sweep::full ? 2'000 : 50'000), folder.path());
  }
}

TEST_CASE("inspecting damaged files") {
  const ScratchFolder folder;
  original_layout(with_tokenizer).write(folder / "good.gguf");
  DamagedFile file(folder / "model.gguf", read_bytes(folder / "good.gguf"));
  flip_bits(file, [&] { (void)inspect_file(file.path()); }, 64 * file.size(),
            chosen(header_bytes(file.path()), sweep::full ? 1 : 10, 100'000));
}
