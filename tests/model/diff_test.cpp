// diff_files(): keys, tensors, values.
#include <mla/inspect.hpp>
#include <mla/quantize.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "demo_variant.hpp"
#include "refusal.hpp"
#include "run_tiny.hpp"

using namespace mla;
using quant::Type;

namespace {

const FileDiff::Tensor& tensor(const FileDiff& diff, std::string_view name) {
  const auto found = std::ranges::find(diff.tensors, name, &FileDiff::Tensor::name);
  REQUIRE(found != diff.tensors.end());
  return *found;
}

void set(TinyTensor& tensor, std::size_t at, float value) {
  std::vector<float> values = tensor.floats();
  values.at(at) = value;
  tensor = float_tensor(tensor.name, tensor.shape, values);
}

}  // namespace

TEST_CASE("equal files, whole, split and in the kernels' layout, don't differ") {
  const ScratchFolder folder;
  const TinyModel model = original_layout(TinyShape{});
  model.write(folder / "a.gguf");
  model.write(folder / "b.gguf");
  const FileDiff diff = diff_files(folder / "a.gguf", folder / "b.gguf");
  CHECK(diff.empty());
  CHECK(diff.n_equal_keys == model.keys.size());
  CHECK(diff.n_equal_tensors == model.tensors.size());
  const FileDiff split = diff_files(folder / "a.gguf", model.write_split(folder / "s", 3)[2]);
  CHECK(split.tensors.empty());

  write_demo_variant(folder / "rows.gguf", {.type = Type::q8_0});
  quantize_file(folder / "rows.gguf", folder / "native.gguf", {.layout = FileLayout::native});
  const FileDiff native = diff_files(folder / "rows.gguf", folder / "native.gguf");
  CHECK(native.tensors.empty());
  CHECK(std::ranges::all_of(native.keys, [](const FileDiff::Key& key) { return key.name.starts_with("mla.layout") && !key.a && key.b; }));
}

TEST_CASE("keys that differ, that one file has, and entries of arrays") {
  const ScratchFolder folder;
  TinyModel model = original_layout(TinyShape{.n_vocab = 260, .tokenizer = true});
  model.write(folder / "a.gguf");
  model.set("context_length", std::uint32_t{77});
  model.remove_key("rope.freq_base");
  model.set("added", 1.5f);
  auto& tokens = std::get<std::vector<std::string>>(model.key("tokenizer.ggml.tokens"));
  tokens[200] = "another";
  std::get<std::vector<std::int32_t>>(model.key("tokenizer.ggml.token_type")).pop_back();
  model.write(folder / "b.gguf");
  const FileDiff diff = diff_files(folder / "a.gguf", folder / "b.gguf");
  CHECK(diff.tensors.empty());
  REQUIRE(diff.keys.size() == 5);
  const auto key = [&](const std::string& name) -> const FileDiff::Key& {
    const auto found = std::ranges::find(diff.keys, name, &FileDiff::Key::name);
    REQUIRE(found != diff.keys.end());
    return *found;
  };
  CHECK(key("deepseek2.context_length").b == "uint32 77");
  CHECK_FALSE(key("deepseek2.rope.freq_base").b);
  CHECK_FALSE(key("deepseek2.added").a);
  CHECK(key("deepseek2.added").b == "float32 1.5");
  CHECK_THAT(*key("tokenizer.ggml.tokens").b, Catch::Contains("entry 200: another"));
  CHECK_THAT(*key("tokenizer.ggml.token_type").a, Catch::Contains("of 260, entry 259: "));
  CHECK_THAT(*key("tokenizer.ggml.token_type").b, Catch::EndsWith("of 259"));
}

TEST_CASE("tensors that differ: one value, NaN, a shape, a type, and those that one file has") {
  const ScratchFolder folder;
  TinyModel model = original_layout(TinyShape{});
  model.write(folder / "a.gguf");
  const std::vector<float> norm = model.tensor("output_norm.weight").floats();
  set(model.tensor("output_norm.weight"), 5, norm[5] + 0.25f);
  set(model.tensor("blk.1.ffn_up_exps.weight"), 1000, std::numeric_limits<float>::quiet_NaN());
  model.tensor("blk.0.ffn_up.weight") = float_tensor("blk.0.ffn_up.weight", {32, 47}, std::vector<float>(32 * 47));
  model.remove_tensor("blk.2.attn_norm.weight");
  model.tensors.push_back(float_tensor("blk.2.more.weight", {3}, {1, 2, 3}));
  model.write(folder / "b.gguf");
  const FileDiff diff = diff_files(folder / "a.gguf", folder / "b.gguf");
  REQUIRE(diff.tensors.size() == 5);
  const FileDiff::Tensor& one = tensor(diff, "output_norm.weight");
  CHECK(one.compared);
  CHECK(one.largest == Approx(0.25).epsilon(1e-5));
  CHECK(one.rms == Approx(0.25 / std::sqrt(32)).epsilon(1e-5));
  double squares = 0;
  for (const float value : norm) squares += static_cast<double>(value) * value;
  CHECK(one.relative == Approx(0.25 / std::sqrt(squares)).epsilon(1e-5));
  CHECK(std::isnan(tensor(diff, "blk.1.ffn_up_exps.weight").largest));
  CHECK_FALSE(tensor(diff, "blk.0.ffn_up.weight").compared);
  CHECK(tensor(diff, "blk.0.ffn_up.weight").b->shape == std::vector<std::uint64_t>{32, 47});
  CHECK_FALSE(tensor(diff, "blk.2.attn_norm.weight").b);
  CHECK_FALSE(tensor(diff, "blk.2.more.weight").a);
  const FileDiff shapes = diff_files(folder / "a.gguf", folder / "b.gguf", {.values = false});
  CHECK(shapes.tensors.size() == 3);  // values are not looked at
}

TEST_CASE("values of two types: the differences are those of the dequantised rows, on any number of threads") {
  const ScratchFolder folder;
  write_demo_variant(folder / "q8.gguf", {.type = Type::q8_0});
  quantize_file(folder / "q8.gguf", folder / "native.gguf", {.layout = FileLayout::native});
  const std::string demo = MLA_SOURCE_DIR "/examples/models/demo-f16.gguf";
  const auto a = format::GgufFile::open(demo, {}), b = format::GgufFile::open(folder / "q8.gguf", {});
  for (const std::string& other : {folder / "q8.gguf", folder / "native.gguf"}) {
    const FileDiff one = diff_files(demo, other, {.n_threads = 1}), three = diff_files(demo, other, {.n_threads = 3});
    REQUIRE(one.tensors.size() == 32);
    for (const FileDiff::Tensor& found : one.tensors) {
      const auto *x = a.find(found.name), *y = b.find(found.name);
      std::int64_t n = 1;
      for (const std::uint64_t size : x->shape) n *= static_cast<std::int64_t>(size);
      std::vector<float> p(static_cast<std::size_t>(n)), q(static_cast<std::size_t>(n));
      quant::dequantize(Type::f16, x->data, p.data(), n);
      quant::dequantize(Type::q8_0, y->data, q.data(), n);
      double largest = 0, differences = 0;
      for (std::size_t i = 0; i < p.size(); ++i) {
        const double d = std::abs(static_cast<double>(p[i]) - q[i]);
        largest = std::max(largest, d), differences += d * d;
      }
      INFO(found.name);
      CHECK(found.largest == largest);
      CHECK(found.rms == Approx(std::sqrt(differences / static_cast<double>(n))));
      CHECK(found.rms == tensor(three, found.name).rms);
      CHECK(found.b->type == "Q8_0");
    }
  }
}

TEST_CASE("interleaved rows are compared by their values") {
  const ScratchFolder folder;
  const quant::Interleaving* layout = nullptr;
  for (std::uint32_t number = 200; layout == nullptr; ++number) layout = quant::find_interleaving(number);
  TinyModel model;
  model.keys.push_back({"general.architecture", std::string("deepseek2")});
  model.tensors.push_back(random_blocks("x.weight", {256, 24}, layout->base, 1.0f, 3, layout));
  model.write(folder / "a.gguf");
  model.tensors[0] = float_tensor("x.weight", {256, 24}, model.tensors[0].floats());
  model.write(folder / "b.gguf");
  const FileDiff diff = diff_files(folder / "a.gguf", folder / "b.gguf");
  REQUIRE(diff.tensors.size() == 1);
  CHECK(diff.tensors[0].compared);
  CHECK(diff.tensors[0].largest == 0);
  CHECK(diff.tensors[0].a->type == layout->name);
}

TEST_CASE("comparing stops when asked, and names a file that can't be read") {
  const ScratchFolder folder;
  original_layout(TinyShape{}).write(folder / "a.gguf");
  check_refused([&] { diff_files(folder / "a.gguf", folder / "none.gguf"); }, Status::not_found, {"none.gguf"});
  check_refused([&] { diff_files(folder / "a.gguf", folder / "a.gguf", {.progress = [](auto...) { return false; }}); }, Status::aborted,
                {"a.gguf"});
}
