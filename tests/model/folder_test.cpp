// Hugging Face folders loaded without a file in between: in place, and converted into memory.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <mla/convert.hpp>
#include <mla/inspect.hpp>
#include <random>

#include "format/gguf.hpp"
#include "hf_folder.hpp"
#include "quant/half.hpp"
#include "refusal.hpp"
#include "run_tiny.hpp"

using namespace mla;

namespace {

// Makes a matrix FP8, with scales of this dtype beside it; returns the floats that it stands for.
std::string to_fp8(HfFolder& hf, const std::string& name, const std::string& scale_dtype) {
  constexpr std::uint64_t block = 128;
  HfTensor tensor = hf.tensor(name), scales{name + "_scale_inv", scale_dtype, {}, ""};
  const std::uint64_t rows = tensor.shape[0], cols = tensor.shape[1], n_rows = (rows + block - 1) / block,
                      n_cols = (cols + block - 1) / block;
  scales.shape = {n_rows, n_cols};
  std::vector<float> factors, values;
  for (std::uint64_t i = 0; i < n_rows * n_cols; ++i) {
    factors.push_back(std::ldexp(1.0f + static_cast<float>(i % 7) / 8, -10));  // exact in 16 bits
    const std::uint16_t half = scale_dtype == "BF16" ? quant::f32_to_bf16(factors.back()) : quant::f32_to_f16(factors.back());
    const auto* const bytes = scale_dtype == "F32" ? reinterpret_cast<const char*>(&factors.back()) : reinterpret_cast<const char*>(&half);
    scales.bytes.append(bytes, scale_dtype == "F32" ? 4 : 2);
  }
  std::mt19937 random(static_cast<unsigned>(name.size()));
  tensor.dtype = "F8_E4M3";
  tensor.bytes.clear();
  for (std::uint64_t i = 0; i < rows * cols; ++i) {
    const auto code = static_cast<std::uint8_t>(random() % 0x7f | (random() & 0x80));
    tensor.bytes += static_cast<char>(code);
    values.push_back(quant::f8_e4m3_to_f32(code) * factors[i / cols / block * n_cols + i % cols / block]);
  }
  hf.tensor(name) = tensor;
  hf.tensors.push_back(scales);
  return {reinterpret_cast<const char*>(values.data()), 4 * values.size()};
}

const nlohmann::json fp8_config = {{"quant_method", "fp8"}, {"fmt", "e4m3"}, {"weight_block_size", {128, 128}}};

std::vector<float> logits(const std::shared_ptr<const Model>& model, AttentionMode mode) { return logits_of(model, mode).values; }

}  // namespace

TEST_CASE("a folder in place gives the logits of the same weights in a GGUF file, wherever its tensors lie") {
  for (const TinyShape& shape : {TinyShape{}, TinyShape{.sigmoid = false}, TinyShape{.q_lora = 0, .n_groups = 1, .sigmoid = false}}) {
    const ScratchFolder in, out;
    const HfFolder hf = hf_folder(original_layout(shape), shape);
    hf.write(in.path());
    const auto expected = load_tiny(original_layout(shape), out);
    for (const std::size_t shift : {0u, 1u, 2u, 3u}) {
      hf.write_weights(in / "model.safetensors", shift);
      for (const bool use_mmap : {true, false}) {
        INFO("shift " << shift << ", mapped " << use_mmap);
        const auto model = Model::load(in.path(), {.use_mmap = use_mmap});
        CHECK(model->info().n_parameters == expected->info().n_parameters);
        CHECK(model->info().weight_bytes == expected->info().weight_bytes);
        for (const AttentionMode mode : all_modes) CHECK(logits(model, mode) == logits(expected, mode));
      }
    }
  }
}

TEST_CASE("a folder converted as it is loaded gives the logits of the converted file") {
  const TinyShape shape{.n_vocab = 64, .n_embd = 64, .n_ff = 96, .n_latent = 64, .q_lora = 32, .n_ff_expert = 32};
  const ScratchFolder in, out;
  hf_folder(original_layout(shape), shape).write(in.path());
  for (const std::string type : {"q8_0", "bf16", "f16", "f32"}) {
    INFO(type);
    convert_huggingface(in.path(), out / "model.gguf", {.type = type});
    const auto file = Model::load(out / "model.gguf");
    int calls = 0;
    const auto model = Model::load(
        in.path(), {.progress = [&](std::string_view phase, auto, auto) { return calls += phase == "convert", true; }, .load_type = type});
    CHECK(calls > 20);
    for (const AttentionMode mode : all_modes) CHECK(logits(model, mode) == logits(file, mode));
    for (const Numa numa : {Numa::split, Numa::replicate})
      CHECK(logits(Model::load(in.path(), {.numa = numa, .load_type = type}), AttentionMode::automatic) ==
            logits(file, AttentionMode::automatic));
    check_refused([&] { (void)Model::load(in.path(), {.progress = [](auto, auto, auto) { return false; }, .load_type = type}); },
                  Status::aborted, {in.path()});
  }
}

TEST_CASE("what a folder holds is said as of the file that it could be") {
  const TinyShape shape{};
  const TinyModel model = original_layout(shape);
  for (const std::size_t shift : {0u, 1u}) {
    INFO("shift " << shift);
    const ScratchFolder in, out;
    const HfFolder hf = hf_folder(model, shape);
    hf.write_config(in.path());
    hf.write_weights(in / "model.safetensors", shift);
    model.write(out / "file.gguf");
    const FileInfo info = inspect_file(in.path()), file = inspect_file(out / "file.gguf");
    CHECK(info.path == in.path());
    CHECK(info.version == 0);
    CHECK(info.n_parts == 1);
    CHECK(info.problem.empty());
    CHECK(info.file_bytes == std::filesystem::file_size(in / "model.safetensors"));
    CHECK(info.n_parameters == file.n_parameters);
    CHECK(info.cache_shape == file.cache_shape);
    // Experts are tensors of their own in the folder and rows of one in the file.
    const FileDiff diff = diff_files(in.path(), out / "file.gguf");
    CHECK(diff.tensors.empty());
    CHECK(diff.n_equal_tensors == model.tensors.size());

    const auto loaded = Model::load(in.path());
    const MemoryNeed need = memory_need(in.path(), {});
    CHECK(need.weights == loaded->info().weight_bytes);
    CHECK(need.derived == loaded->info().derived_bytes);
    CHECK(need.repacked == 0);
  }
}

TEST_CASE("FP8 with block scales: converted to the bits of the products, run in place as the converted file") {
  // Heads and edges of matrices lie anywhere in the blocks.
  const TinyShape shape{
      .n_embd = 160, .n_ff = 200, .n_heads = 5, .n_nope = 24, .n_value = 20, .n_latent = 144, .q_lora = 136, .n_ff_expert = 40};
  const ScratchFolder floats, codes, out;
  HfFolder expected = hf_folder(original_layout(shape), shape), fp8 = expected;
  fp8.config["quantization_config"] = fp8_config;
  const char* const dtypes[] = {"F32", "BF16", "F16"};
  int n = 0;
  for (HfTensor& tensor : expected.tensors)
    if (tensor.name.find("_proj") != tensor.name.npos) tensor.bytes = to_fp8(fp8, tensor.name, dtypes[n++ % 3]);
  expected.write(floats.path());
  convert_huggingface(floats.path(), out / "expected.gguf", {.type = "f32"});
  const auto file = Model::load(out / "expected.gguf");
  for (const std::size_t shift : {0u, 1u, 3u}) {
    INFO("shift " << shift);
    fp8.write_config(codes.path());
    fp8.write_weights(codes / "model.safetensors", shift);
    convert_huggingface(codes.path(), out / "fp8.gguf", {.type = "f32"});
    const auto a = format::GgufFile::open(out / "expected.gguf", {}), b = format::GgufFile::open(out / "fp8.gguf", {});
    for (const format::TensorInfo& tensor : a.tensors()) {
      INFO(tensor.name);
      CHECK(std::equal(tensor.data, tensor.data + tensor.bytes, b.find(tensor.name)->data));
    }
    const auto model = Model::load(codes.path());
    CHECK(model->info().weight_bytes < file->info().weight_bytes / 2);
    const FileInfo info = inspect_file(codes.path());
    CHECK(std::ranges::count(info.tensors, "F8_E4M3", &FileInfo::Tensor::type) > 20);
    CHECK(memory_need(codes.path(), {}).derived == model->info().derived_bytes);
    // The folder has kv_b where the file has k_b and v_b; all else is the same numbers.
    for (const FileDiff::Tensor& tensor : diff_files(out / "expected.gguf", codes.path()).tensors) {
      INFO(tensor.name);
      CHECK((!tensor.a || !tensor.b || (tensor.compared && tensor.largest == 0)));
    }
    for (const AttentionMode mode : all_modes) CHECK(relative_difference(logits_of(model, mode), logits_of(file, mode)) < 1e-5);
  }
  const std::string name = "model.layers.0.self_attn.q_a_proj.weight_scale_inv";
  const auto refused = [&](const std::string& text, Status status = Status::bad_file) {
    fp8.write(codes.path());
    check_refused([&] { (void)Model::load(codes.path()); }, status, {codes.path(), text});
    check_refused([&] { convert_huggingface(codes.path(), out / "fp8.gguf"); }, status, {codes.path(), text});
  };
  const HfTensor good = fp8.tensor(name);
  fp8.tensor(name).shape = {good.shape[1], good.shape[0], 1};
  refused("tensor " + name + " has another shape");
  fp8.tensor(name) = {name, "I32", good.shape, std::string(4 * good.shape[0] * good.shape[1], 'a')};
  refused(name, Status::unsupported);
  fp8.remove_tensor(name);
  refused("tensor " + name + " is missing");
}

TEST_CASE("folders that can't be loaded: the file and what is wrong are named") {
  const TinyShape shape;
  const ScratchFolder in, out;
  HfFolder hf = hf_folder(original_layout(shape), shape);
  hf.write(in.path());
  check_refused([&] { (void)Model::load(in.path(), {.load_type = "q9"}); }, Status::invalid_argument, {"q9"});
  check_refused([&] { (void)Model::load(in.path(), {.numa = Numa::split}); }, Status::unsupported,
                {in.path(), "--load-type", "mla-convert"});
  check_refused([&] { (void)load_tiny(original_layout(shape), out, {.load_type = "q8_0"}); }, Status::invalid_argument, {"mla-quantize"});
  hf.remove_tensor("lm_head.weight");
  hf.write(in.path());
  check_refused([&] { (void)Model::load(in.path()); }, Status::bad_file, {in.path(), "lm_head.weight"});
  std::filesystem::remove(in / "config.json");
  check_refused([&] { (void)Model::load(in.path()); }, Status::io_error, {in.path(), "without config.json"});
}
