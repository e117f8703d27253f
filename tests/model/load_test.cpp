// Model::load on what can't be loaded: one line that names the file and the tensor, and nothing is left behind.
#include <sys/stat.h>

#include <cstring>
#include <functional>

#include "largest_allocation.hpp"
#include "refusal.hpp"
#include "run_tiny.hpp"

using namespace mla;
using quant::Type;

namespace {

using Change = std::function<void(TinyModel&)>;

// The bytes of a file with another type number for a tensor.
std::string with_type(std::string bytes, const TinyTensor& tensor, std::uint32_t type) {
  const std::uint64_t length = tensor.name.size();
  std::string entry(reinterpret_cast<const char*>(&length), sizeof length);
  const std::size_t at = bytes.find(entry + tensor.name);
  REQUIRE(at != std::string::npos);
  std::memcpy(bytes.data() + at + sizeof length + length + 4 + 8 * tensor.shape.size(), &type, sizeof type);
  return bytes;
}

std::vector<std::string> names_of(const TinyModel& model) {
  std::vector<std::string> names;
  for (const TinyTensor& tensor : model.tensors) names.push_back(tensor.name);
  return names;
}

}  // namespace

TEST_CASE("a path that is no model") {
  const ScratchFolder folder;
  const auto refused = [&](const std::string& name, Status status, const std::string& text) {
    for (const bool use_mmap : {true, false})
      check_refused([&] { Model::load(folder / name, {.use_mmap = use_mmap}); }, status, {folder / name, text});
  };
  refused("none.gguf", Status::not_found, "No such file");
  refused("none/none.gguf", Status::not_found, "No such file");
  refused(".", Status::io_error, "Hugging Face folder");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  refused("pipe", Status::io_error, "not a regular file");
  write_bytes(folder / "empty.gguf", "");
  refused("empty.gguf", Status::bad_file, "cut short");
  write_bytes(folder / "text.gguf", "This is a letter and no model at all.\nSecond line.\n");
  refused("text.gguf", Status::bad_file, "not a GGUF file");
  check_refused([] { Model::load(""); }, Status::not_found, {"cannot open"});
}

TEST_CASE("every tensor of every layout is needed, in its shape, in a known type") {
  const TinyShape v3, lite{.q_lora = 0, .n_groups = 1, .sigmoid = false};
  const ScratchFolder folder;
  const std::string path = folder / "tiny.gguf";
  for (const TinyModel& good : {original_layout(v3), mainline_layout(original_layout(v3), v3), ik_layout(original_layout(v3), v3),
                                original_layout(lite)}) {
    good.write(path);
    const std::string bytes = read_bytes(path);
    for (const std::string& name : names_of(good)) {
      INFO(name);
      TinyModel model = good;
      model.remove_tensor(name);
      const bool spare = name == "output.weight" || name.ends_with("exp_probs_b.bias") ||
                         (name.ends_with("kv_b.weight") && good.tensors.back().name.find("v_b") != std::string::npos);
      const std::string stem = name.substr(0, name.rfind('.'));
      if (!spare) check_refused([&] { load_tiny(model, folder); }, Status::bad_file, {path, "tensor " + stem, "missing"});

      for (const std::size_t axis : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{3}}) {
        model = good;
        TinyTensor& tensor = model.tensor(name);
        if (name == "token_embd.weight" && axis == 1) model.remove_key("vocab_size");
        tensor.shape.resize(std::max(tensor.shape.size(), axis + 1), 1);
        ++tensor.shape[axis];
        std::uint64_t n = 1;
        for (const std::uint64_t size : tensor.shape) n *= size;
        tensor.bytes.resize(4 * n);
        // A vocabulary of another size shows in the next matrix that has it.
        const std::string named = name == "token_embd.weight" && axis == 1 ? "output.weight" : name;
        check_refused([&] { load_tiny(model, folder); }, Status::bad_file, {path, "tensor " + named, "shape"});
      }
      model = good;
      for (const auto& [type, told] : {std::pair<std::uint32_t, const char*>{4, "type 4,"}, {399, "type Q8_K_R8 (399)"}, {500, "type 500"},
                                       {0xffffffffu, "type 4294967295"}}) {
        write_bytes(path, with_type(bytes, model.tensor(name), type));
        check_refused([&] { Model::load(path); }, Status::unsupported, {path, "tensor " + name, told});
      }
    }
  }
}

TEST_CASE("tensors that contradict the keys, or that nobody knows") {
  struct Case {
    const char* what;
    Change change;
    Status status;
    std::vector<std::string> texts;
  };
  const auto turn = [](TinyModel& m, const char* name) {
    auto& shape = m.tensor(name).shape;
    std::swap(shape[0], shape[1]);
  };
  const std::vector<Case> cases = {
      {"transposed", [&](TinyModel& m) { turn(m, "blk.0.attn_kv_b.weight"); }, Status::bad_file,
       {"tensor blk.0.attn_kv_b.weight", "[24, 28, 3]"}},
      {"transposed", [&](TinyModel& m) { turn(m, "blk.0.ffn_gate.weight"); }, Status::bad_file,
       {"tensor blk.0.ffn_gate.weight", "[32, 48]"}},
      {"experts and rows changed places",
       [](TinyModel& m) { m.tensor("blk.1.ffn_up_exps.weight").shape = {32, 8, 16}; }, Status::bad_file,
       {"tensor blk.1.ffn_up_exps.weight", "[32, 16, 8]"}},
      {"a vocabulary of another size", [](TinyModel& m) { m.set("vocab_size", 41u); }, Status::bad_file,
       {"token_embd.weight", "40", "deepseek2.vocab_size is 41"}},
      {"a bias", [](TinyModel& m) { m.tensors.push_back(float_tensor("blk.0.attn_q_b.bias", {2}, {1, 2})); }, Status::unsupported,
       {"tensor blk.0.attn_q_b.bias"}},
      {"a stranger", [](TinyModel& m) { m.tensors.push_back(float_tensor("mm.patch_embd.weight", {2}, {1, 2})); }, Status::unsupported,
       {"tensor mm.patch_embd.weight"}},
      {"a layer too many", [](TinyModel& m) { m.set("block_count", 2u); }, Status::unsupported, {"tensor blk.2."}},
      {"a layer too few", [](TinyModel& m) { m.set("block_count", 4u); }, Status::bad_file, {"tensor blk.3.attn_norm.weight is missing"}},
      {"very many layers", [](TinyModel& m) { m.set("block_count", 1u << 24); }, Status::bad_file,
       {"tensor blk.3.attn_norm.weight is missing"}},
      {"very many experts", [](TinyModel& m) { m.set("expert_count", 1u << 24); }, Status::bad_file, {"tensor blk.1.ffn_gate_inp.weight"}},
      {"very wide experts", [](TinyModel& m) { m.set("expert_feed_forward_length", 1u << 24); }, Status::bad_file,
       {"tensor blk.1.ffn_gate_exps.weight"}},
      {"very many heads", [](TinyModel& m) { m.set("attention.head_count", 1u << 24), m.set("attention.head_count_kv", 1u); },
       Status::bad_file, {"tensor blk.0.attn_q_b.weight"}},
      {"other heads", [](TinyModel& m) { m.set("attention.head_count", 4u), m.set("attention.head_count_kv", 1u); }, Status::bad_file,
       {"tensor blk.0.attn_q_b.weight"}},
      {"another latent", [](TinyModel& m) { m.set("attention.kv_lora_rank", 25u); }, Status::bad_file,
       {"tensor blk.0.attn_kv_a_mqa.weight"}},
      {"dense layers that aren't", [](TinyModel& m) { m.set("leading_dense_block_count", 2u); }, Status::bad_file,
       {"tensor blk.1.ffn_gate.weight is missing"}},
      {"all layers dense", [](TinyModel& m) { m.set("leading_dense_block_count", 3u); }, Status::bad_file,
       {"tensor blk.1.ffn_gate.weight is missing"}},
      {"shared experts that aren't there", [](TinyModel& m) { m.set("expert_shared_count", 2u); }, Status::bad_file,
       {"tensor blk.1.ffn_gate_shexp.weight"}},
      {"k_b without v_b",
       [](TinyModel& m) { m = ik_layout(m, TinyShape{}), m.remove_tensor("blk.0.attn_v_b.weight"); }, Status::bad_file,
       {"tensor blk.0.attn_v_b.weight is missing"}},
  };
  const ScratchFolder folder;
  for (const Case& c : cases) {
    INFO(c.what);
    TinyModel model = original_layout(TinyShape{});
    c.change(model);
    std::vector<std::string> texts = c.texts;
    texts.push_back(folder / "tiny.gguf");
    model.write(folder / "tiny.gguf");
    reset_largest_allocation();
    check_refused([&] { Model::load(folder / "tiny.gguf"); }, c.status, texts);
    CHECK(largest_allocation() < 100'000);
  }
}

TEST_CASE("parts of a model that are missing, cut, or of another model") {
  const ScratchFolder folder;
  const TinyModel model = original_layout(TinyShape{});
  const auto parts = model.write_split(folder / "model", 3);
  const auto refused = [&](Status status, const std::vector<std::string>& texts) {
    for (const std::string& part : parts)
      if (std::filesystem::exists(part)) check_refused([&] { Model::load(part); }, status, texts);
  };
  const std::string second = read_bytes(parts[1]);
  std::filesystem::remove(parts[1]);
  refused(Status::not_found, {parts[1], "missing"});
  write_bytes(parts[1], second.substr(0, second.size() - 100));
  refused(Status::bad_file, {parts[1], "cut short"});
  write_bytes(parts[1], read_bytes(parts[2]));
  refused(Status::bad_file, {parts[1], "split.no"});
  original_layout(TinyShape{.n_embd = 64}).write_split(folder / "other", 3);
  write_bytes(parts[1], read_bytes(folder / "other-00002-of-00003.gguf"));
  refused(Status::bad_file, {parts[0], "tensor", "shape"});
  write_bytes(parts[1], second);
  CHECK(Model::load(parts[2])->info().n_layers == 3);
}

TEST_CASE("a tokenizer that doesn't fit: an error of the file where it contradicts itself, else a model of token ids") {
  const TinyShape shape{.n_vocab = 260, .tokenizer = true};
  const ScratchFolder folder;
  const auto changed = [&](const Change& change) {
    TinyModel model = original_layout(shape);
    change(model);
    return model;
  };
  const std::string ggml = "tokenizer.ggml.";
  CHECK(load_tiny(changed([](TinyModel&) {}), folder)->tokenizer().encode("the").size() == 2);

  const std::vector<std::pair<std::string, TinyValue>> bad = {
      {"tokens", std::vector<std::string>{"a", "b"}}, {"tokens", std::string("a")}, {"token_type", std::vector<std::int32_t>{1, 1}},
      {"token_type", std::vector<std::int32_t>(260, 9)}, {"bos_token_id", 260u}, {"eos_token_id", std::string("<eos>")},
      {"merges", std::vector<std::string>{"t h", "nospace"}}, {"merges", std::vector<std::string>{"t q"}}, {"merges", 3u},
      {"add_bos_token", 1u}};
  for (const auto& [key, value] : bad) {
    INFO(key);
    check_refused([&] { load_tiny(changed([&](TinyModel& m) { m.key(ggml + key) = value; }), folder); }, Status::bad_file,
                  {folder / "tiny.gguf", ggml + key});
  }
  const std::vector<std::pair<std::string, TinyValue>> other = {{"model", std::string("llama")}, {"pre", std::string("unheard-of")}};
  for (const auto& [key, value] : other) {
    const auto log = std::make_shared<Messages>();
    const auto model = load_tiny(changed([&](TinyModel& m) { m.key(ggml + key) = value; }), folder, {.log = log});
    CHECK_THAT(log->text, Catch::Contains(folder / "tiny.gguf"));
    check_refused([&] { (void)model->tokenizer(); }, Status::unsupported, {folder / "tiny.gguf", ggml + key});
    CHECK(logits_of(model, AttentionMode::automatic, 0, 3).values.size() == 3 * 260);
  }
}

TEST_CASE("a progress callback that says stop ends the load") {
  const ScratchFolder folder;
  original_layout(TinyShape{}).write(folder / "tiny.gguf");
  for (const bool use_mmap : {true, false}) {
    for (int last = 0; last < 5; ++last) {  // the file, three layers, and the end
      int calls = 0;
      const ModelOptions options{.use_mmap = use_mmap, .progress = [&](auto, auto, auto) { return calls++ < last; }};
      check_refused([&] { Model::load(folder / "tiny.gguf", options); }, Status::aborted, {folder / "tiny.gguf"});
      CHECK(calls == last + 1);
    }
  }
}
