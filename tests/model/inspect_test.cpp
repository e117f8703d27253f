// inspect_file(): what is in a file, also in one that can't be run.
#include <mla/inspect.hpp>

#include <algorithm>

#include "refusal.hpp"
#include "run_tiny.hpp"

using namespace mla;

TEST_CASE("a whole model: keys, tensors, sizes") {
  const ScratchFolder folder;
  const TinyShape shape{.n_vocab = 260, .tokenizer = true};
  const TinyModel model = original_layout(shape);
  model.write(folder / "tiny.gguf");
  const FileInfo info = inspect_file(folder / "tiny.gguf");
  CHECK(info.path == folder / "tiny.gguf");
  CHECK(info.version == 3);
  CHECK(info.n_parts == 1);
  CHECK(info.file_bytes == read_bytes(folder / "tiny.gguf").size());
  CHECK(info.problem.empty());
  REQUIRE(info.keys.size() == model.keys.size());
  REQUIRE(info.tensors.size() == model.tensors.size());
  const auto key = [&](const std::string& name) {
    const auto found = std::find_if(info.keys.begin(), info.keys.end(), [&](const FileInfo::Key& k) { return k.name == name; });
    REQUIRE(found != info.keys.end());
    return found->type + " " + found->value;
  };
  CHECK(key("deepseek2.block_count") == "uint32 3");
  CHECK(key("deepseek2.attention.layer_norm_rms_epsilon") == "float32 1e-06");
  CHECK(key("deepseek2.expert_weights_norm") == "bool true");
  CHECK(key("general.architecture") == "string deepseek2");
  CHECK_THAT(key("tokenizer.ggml.token_type"), Catch::StartsWith("array of int32 [1, 1,") && Catch::Contains("260 in all"));
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    CHECK(info.tensors[i].name == model.tensors[i].name);
    CHECK(info.tensors[i].shape == model.tensors[i].shape);
    CHECK(info.tensors[i].type == "F32");
    CHECK(info.tensors[i].bytes == model.tensors[i].bytes.size());
    n += model.tensors[i].bytes.size();
  }
  CHECK(info.tensor_bytes == n);
  CHECK(info.n_parameters == n / sizeof(float));
  CHECK(info.n_parameters == Model::load(folder / "tiny.gguf")->info().n_parameters);
  REQUIRE(info.cache_shape);
  CHECK(*info.cache_shape == Model::load(folder / "tiny.gguf")->cache_shape());

  const FileInfo split = inspect_file(model.write_split(folder / "split", 3)[1]);
  CHECK(split.n_parts == 3);
  CHECK(split.path == folder / "split-00001-of-00003.gguf");
  CHECK(split.tensor_bytes == info.tensor_bytes);
}

TEST_CASE("files that libmla can't run say why") {
  const ScratchFolder folder;
  const std::string path = folder / "tiny.gguf";
  const auto problem = [&](auto change) {
    TinyModel model = original_layout(TinyShape{});
    change(model);
    model.write(path);
    const FileInfo info = inspect_file(path);
    CHECK_FALSE(info.cache_shape);
    return info.problem;
  };
  CHECK_THAT(problem([](TinyModel& m) { m.key("general.architecture") = std::string("llama"); }), Catch::Contains("'llama'"));
  CHECK_THAT(problem([](TinyModel& m) { m.set("attention.temperature_scale", 0.1f); }),
             Catch::Contains("deepseek2.attention.temperature_scale"));
  CHECK_THAT(problem([](TinyModel& m) { m.remove_key("attention.kv_lora_rank"); }), Catch::Contains("deepseek2.attention.kv_lora_rank"));

  original_layout(TinyShape{}).write(path);
  std::string bytes = read_bytes(path);
  const std::string name = "output_norm.weight";
  for (const auto& [number, told] : {std::pair<unsigned char, std::string>{38, "type 38"}, {153, "IQ2_KT"}}) {
    bytes[bytes.find(name) + name.size() + 4 + 8] = static_cast<char>(number);
    write_bytes(path, bytes);
    const FileInfo info = inspect_file(path);
    CHECK_THAT(info.problem, Catch::Contains("tensor output_norm.weight") && Catch::Contains(told));
    CHECK(std::any_of(info.tensors.begin(), info.tensors.end(),
                      [&](const FileInfo::Tensor& t) { return t.type == told && t.bytes == 0; }));
  }

  check_refused([&] { inspect_file(folder / "none.gguf"); }, Status::not_found, {folder / "none.gguf"});
  write_bytes(path, "text");
  check_refused([&] { inspect_file(path); }, Status::bad_file, {path});
}
