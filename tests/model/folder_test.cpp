// Hugging Face folders loaded without a file in between: in place, and converted into memory.
#include <filesystem>
#include <mla/convert.hpp>
#include <mla/inspect.hpp>

#include "hf_folder.hpp"
#include "refusal.hpp"
#include "run_tiny.hpp"

using namespace mla;

namespace {

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
    const auto model = Model::load(in.path(), {.progress = [&](std::string_view phase, auto, auto) { return calls += phase == "convert", true; }, .load_type = type});
    CHECK(calls > 20);
    for (const AttentionMode mode : all_modes) CHECK(logits(model, mode) == logits(file, mode));
    check_refused([&] { (void)Model::load(in.path(), {.progress = [](auto, auto, auto) { return false; }, .load_type = type}); }, Status::aborted, {in.path()});
  }
}

TEST_CASE("folders that can't be loaded: the file and what is wrong are named") {
  const TinyShape shape;
  const ScratchFolder in, out;
  HfFolder hf = hf_folder(original_layout(shape), shape);
  hf.write(in.path());
  check_refused([&] { (void)Model::load(in.path(), {.load_type = "q9"}); }, Status::invalid_argument, {"load_type", "q9"});
  check_refused([&] { (void)Model::load(in.path(), {.numa = Numa::split}); }, Status::unsupported, {in.path(), "mla-convert"});
  check_refused([&] { (void)load_tiny(original_layout(shape), out, {.load_type = "q8_0"}); }, Status::invalid_argument, {"mla-quantize"});
  hf.remove_tensor("lm_head.weight");
  hf.write(in.path());
  check_refused([&] { (void)Model::load(in.path()); }, Status::bad_file, {in.path(), "lm_head.weight"});
  std::filesystem::remove(in / "config.json");
  check_refused([&] { (void)Model::load(in.path()); }, Status::io_error, {in.path(), "without config.json"});
}
