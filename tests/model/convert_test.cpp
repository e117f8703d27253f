// Hugging Face folders to GGUF: the bits that the gguf package makes, the logits of the same weights, and folders that can't be.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <mla/convert.hpp>

#include "format/gguf.hpp"
#include "hf_folder.hpp"
#include "largest_allocation.hpp"
#include "quant/half.hpp"
#include "refusal.hpp"
#include "run_tiny.hpp"

using namespace mla;
using format::GgufFile;
using nlohmann::json;

namespace {

const std::string golden = MLA_SOURCE_DIR "/tests/golden/convert/";

// The first byte of two tensors that differs, or -1.
std::ptrdiff_t first_difference(const format::TensorInfo& a, const format::TensorInfo& b) {
  const auto [left, right] = std::mismatch(a.data, a.data + a.bytes, b.data, b.data + b.bytes);
  return left == a.data + a.bytes && right == b.data + b.bytes ? -1 : left - a.data;
}

std::string halves(const std::string& floats, std::uint16_t (*round)(float)) {
  std::string out;
  for (std::size_t i = 0; i < floats.size(); i += sizeof(float)) {
    float value = 0;
    std::memcpy(&value, floats.data() + i, sizeof value);
    const std::uint16_t half = round(value);
    out.append(reinterpret_cast<const char*>(&half), sizeof half);
  }
  return out;
}

// A folder in work, its weights, and where the output goes.
struct Work {
  ScratchFolder in, out;
  TinyShape shape;
  HfFolder hf;
  std::string output = out / "model.gguf";

  explicit Work(const TinyShape& s = {}) : shape(s), hf(hf_folder(original_layout(s), s)) { hf.write(in.path()); }

  void check_refused_by(Status status, const std::vector<std::string>& texts, const ConvertOptions& options = {}) const {
    check_refused([&] { convert_huggingface(in.path(), output, options); }, status, texts);
    CHECK(out.empty());
  }
};

}  // namespace

TEST_CASE("every type has the bits that the gguf package makes, and the keys that it names") {
  const ScratchFolder folder;
  for (const std::string type : {"f32", "f16", "bf16", "q8_0"}) {
    INFO(type);
    const std::string path = folder / (type + ".gguf");
    convert_huggingface(golden + "folder", path, {.type = type});
    const GgufFile ours = GgufFile::open(path, {}), theirs = GgufFile::open(golden + type + ".gguf", {});
    CHECK(ours.tensors().size() == theirs.tensors().size());
    for (const format::TensorInfo& expected : theirs.tensors()) {
      INFO(expected.name);
      const format::TensorInfo* got = ours.find(expected.name);
      REQUIRE(got != nullptr);
      CHECK(got->shape == expected.shape);
      REQUIRE(got->type == expected.type);
      CHECK(first_difference(*got, expected) == -1);
    }
    for (const auto& [key, value] : theirs.metadata()) {
      INFO(key);
      const format::GgufValue* got = ours.find_key(key);
      REQUIRE(got != nullptr);
      CHECK(got->type == value.type);
      CHECK(got->value == value.value);
    }
    for (const auto& [key, value] : ours.metadata())
      if (key.starts_with("deepseek2.")) CHECK(theirs.find_key(key) != nullptr);
    CHECK(Model::load(path)->info().n_layers == 2);
  }
}

TEST_CASE("a converted model gives the logits of the same weights in a GGUF file") {
  for (const TinyShape& shape : {TinyShape{}, TinyShape{.sigmoid = false}, TinyShape{.q_lora = 0, .n_groups = 1, .sigmoid = false}}) {
    const Work work(shape);
    convert_huggingface(work.in.path(), work.output, {.type = "f32"});
    const auto converted = Model::load(work.output);
    CHECK(converted->info().derived_bytes == 0);
    const auto direct = load_tiny(mainline_layout(original_layout(shape), shape), work.in);
    for (const AttentionMode mode : all_modes) CHECK(logits_of(converted, mode).values == logits_of(direct, mode).values);
  }
}

TEST_CASE("weights of mixed types at odd addresses, in shards, with tied embeddings and tensors that play no part") {
  Work work;
  HfFolder& hf = work.hf;
  for (const char* name : {"model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight", "model.layers.1.self_attn.kv_b_proj.weight"}) {
    HfTensor& tensor = hf.tensor(name);
    tensor.bytes = halves(tensor.bytes, quant::f32_to_bf16), tensor.dtype = "BF16";
  }
  HfTensor& gate = hf.tensor("model.layers.2.mlp.experts.3.gate_proj.weight");
  gate.bytes = halves(gate.bytes, quant::f32_to_f16), gate.dtype = "F16";
  hf.tensor("lm_head.weight") = {"lm_head.weight", "BF16", hf.tensor("lm_head.weight").shape, hf.tensor("model.embed_tokens.weight").bytes};
  hf.write(work.in.path());
  convert_huggingface(work.in.path(), work.output, {.type = "f32"});
  const std::string expected = read_bytes(work.output);

  for (std::size_t shift = 1; shift < 8; ++shift) {
    hf.write_weights(work.in / "model.safetensors", shift);
    convert_huggingface(work.in.path(), work.output, {.type = "f32"});
    CHECK(read_bytes(work.output) == expected);
  }
  const auto log = std::make_shared<Messages>();
  hf.config["tie_word_embeddings"] = true;
  hf.config["num_nextn_predict_layers"] = 1;
  hf.tensors.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", "F32", {1}, "abcd"});
  hf.tensors.push_back({"model.layers.3.eh_proj.weight", "F8_E4M3", {2}, "ab"});
  hf.tensors.push_back({"model.layers.3.enorm.weight", "F32", {1}, "abcd"});
  hf.write(work.in.path());
  convert_huggingface(work.in.path(), work.output, {.type = "f32", .log = log});
  CHECK(read_bytes(work.output) == expected);
  CHECK_THAT(log->text, Catch::Contains("2 tensors of multi-token prediction"));
  hf.remove_tensor("lm_head.weight");
  hf.write(work.in.path());
  convert_huggingface(work.in.path(), work.output, {.type = "f32"});
  CHECK(read_bytes(work.output) == expected);

  std::filesystem::remove(work.in / "model.safetensors");
  HfFolder shards[3];
  json map;
  for (std::size_t i = 0; i < hf.tensors.size(); ++i) {
    shards[i % 3].tensors.push_back(hf.tensors[i]);
    map[hf.tensors[i].name] = fmt::format("part{}.safetensors", i % 3);
  }
  for (int i = 0; i < 3; ++i) shards[i].write_weights(work.in / fmt::format("part{}.safetensors", i), static_cast<std::size_t>(i));
  write_bytes(work.in / "model.safetensors.index.json", json{{"weight_map", map}}.dump());
  convert_huggingface(work.in.path(), work.output, {.type = "f32"});
  CHECK(read_bytes(work.output) == expected);
}

TEST_CASE("layers of multi-token prediction are left out, or kept under the names that other programs know") {
  const TinyShape with{.n_layers = 4};
  Work work(with);
  HfFolder& hf = work.hf;
  hf.config["num_hidden_layers"] = 3;
  hf.config["num_nextn_predict_layers"] = 1;
  const auto n = static_cast<std::uint64_t>(with.n_embd), n_vocab = static_cast<std::uint64_t>(with.n_vocab);
  const std::vector<HfTensor> extra = {{"eh_proj.weight", "F32", {n, 2 * n}, std::string(8 * n * n, 'a')}, {"enorm.weight", "F32", {n}, std::string(4 * n, 'b')},
                                       {"hnorm.weight", "F32", {n}, std::string(4 * n, 'c')}, {"shared_head.norm.weight", "F32", {n}, std::string(4 * n, 'd')},
                                       {"embed_tokens.weight", "F32", {n_vocab, n}, std::string(4 * n_vocab * n, 'e')},
                                       {"shared_head.head.weight", "F32", {n_vocab, n}, std::string(4 * n_vocab * n, 'f')}};
  for (HfTensor tensor : extra) {
    tensor.name = "model.layers.3." + tensor.name;
    hf.tensors.push_back(tensor);
  }
  hf.write(work.in.path());
  const std::string kept = work.out / "kept.gguf";
  convert_huggingface(work.in.path(), work.output, {.type = "f32"});
  convert_huggingface(work.in.path(), kept, {.type = "f32", .mtp = true});
  const GgufFile left_out = GgufFile::open(work.output, {}), whole = GgufFile::open(kept, {});
  CHECK(left_out.find_key("deepseek2.nextn_predict_layers") == nullptr);
  CHECK(left_out.get_uint("deepseek2.block_count") == 3);
  CHECK(whole.get_uint("deepseek2.nextn_predict_layers") == 1);
  CHECK(whole.get_uint("deepseek2.block_count") == 4);
  for (const format::TensorInfo& tensor : left_out.tensors()) CHECK_FALSE(tensor.name.starts_with("blk.3."));
  const std::pair<const char*, char> names[] = {{"eh_proj", 'a'}, {"enorm", 'b'}, {"hnorm", 'c'}, {"shared_head_norm", 'd'}, {"embed_tokens", 'e'}, {"shared_head_head", 'f'}};
  for (const auto& [name, byte] : names) {
    INFO(name);
    const format::TensorInfo* tensor = whole.find(fmt::format("blk.3.nextn.{}.weight", name));
    REQUIRE(tensor != nullptr);
    CHECK(static_cast<char>(tensor->data[tensor->bytes - 1]) == byte);
  }
  for (const char* name : {"attn_norm", "attn_k_b", "ffn_gate_exps", "ffn_down_shexp"}) CHECK(whole.find(fmt::format("blk.3.{}.weight", name)) != nullptr);
  const auto expected = logits_of(Model::load(work.output), AttentionMode::deepseek_mla).values;
  CHECK(logits_of(Model::load(kept), AttentionMode::deepseek_mla).values == expected);
  CHECK(logits_of(Model::load(work.in.path()), AttentionMode::deepseek_mla).values == expected);
  CHECK(Model::load(kept)->info().n_layers == 3);
  // GLM-4.7-Flash leaves out what is the model's own; nothing else may be missing.
  hf.remove_tensor("model.layers.3.embed_tokens.weight");
  hf.remove_tensor("model.layers.3.shared_head.head.weight");
  hf.write(work.in.path());
  convert_huggingface(work.in.path(), kept, {.type = "f32", .mtp = true});
  CHECK(GgufFile::open(kept, {}).find("blk.3.nextn.embed_tokens.weight") == nullptr);
  hf.remove_tensor("model.layers.3.hnorm.weight");
  hf.write(work.in.path());
  check_refused([&] { convert_huggingface(work.in.path(), kept, {.mtp = true}); }, Status::bad_file, {"model.layers.3.hnorm.weight"});
}

TEST_CASE("parts: whole ones are kept when a conversion goes on, and none appears before all are") {
  const Work work;
  convert_huggingface(work.in.path(), work.output, {.type = "f32"});
  const GgufFile whole = GgufFile::open(work.output, {});
  const std::string stem = work.out / "part";
  const ConvertOptions options{.type = "f32", .max_part_bytes = whole.file_bytes() / 5};
  const auto n_files = [&] { return std::distance(std::filesystem::directory_iterator(work.out.path()), {}); };
  int calls = 0;
  ConvertOptions stopping = options;
  for (int last = 0; last < 1000; last += 13) {
    int left = last;
    stopping.progress = [&](auto, auto, auto) { return ++calls, left-- > 0; };
    try {
      convert_huggingface(work.in.path(), stem + ".gguf", stopping);
      break;
    } catch (const Error& error) {
      REQUIRE(error.status() == Status::aborted);
      CHECK_FALSE(std::filesystem::exists(stem + "-00001-of-00006.gguf"));
    }
  }
  CHECK(n_files() == 7);
  const GgufFile parts = GgufFile::open(stem + "-00001-of-00006.gguf", {});
  CHECK(parts.n_parts() == 6);
  REQUIRE(parts.tensors().size() == whole.tensors().size());
  for (const format::TensorInfo& tensor : whole.tensors()) CHECK(first_difference(tensor, *parts.find(tensor.name)) == -1);
}

TEST_CASE("the tokenizer goes through the file") {
  const std::string tokenizer = MLA_SOURCE_DIR "/tests/golden/tokenizer/llm/";
  const int n_vocab = 2100;  // more than the tokenizer has, as in real models
  const Work work({.n_vocab = n_vocab, .n_embd = 8});
  for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) std::filesystem::copy_file(tokenizer + name, work.in / name);
  convert_huggingface(work.in.path(), work.output);
  const auto model = Model::load(work.output);
  const Tokenizer direct(read_hf_tokenizer(work.in.path(), n_vocab)), &through = model->tokenizer();
  CHECK(through.size() == n_vocab);
  CHECK(through.bos() == direct.bos());
  CHECK(through.eos() == direct.eos());
  CHECK(through.add_bos() == direct.add_bos());
  CHECK(through.pre() == direct.pre());
  CHECK(model->chat_template() == read_hf_tokenizer(work.in.path(), n_vocab).chat_template);
  for (Token token = 0; token < n_vocab; ++token) {
    REQUIRE(through.piece(token) == direct.piece(token));
    REQUIRE(through.kind(token) == direct.kind(token));
  }
  const std::string heldout = read_bytes(MLA_SOURCE_DIR "/examples/models/heldout.txt");
  const std::string text = heldout.substr(0, 2000) + "<｜begin▁of▁sentence｜> 世界 🌍";
  CHECK(through.encode(text) == direct.encode(text));
  CHECK(through.encode(text, {.parse_special = true}) == direct.encode(text, {.parse_special = true}));
}

TEST_CASE("V3's shape without groups keeps its one group through the file") {
  TinyShape shape{.n_vocab = 16, .n_embd = 8, .n_layers = 61, .n_dense = 60, .n_ff = 8, .n_heads = 1, .n_nope = 4, .n_rope = 2,
                  .n_value = 4, .n_latent = 8, .q_lora = 4, .n_experts = 256, .n_used = 8, .n_ff_expert = 4, .n_groups = 1,
                  .n_groups_used = 1};
  const Work work(shape);
  convert_huggingface(work.in.path(), work.output, {.type = "f32"});
  const auto log = std::make_shared<Messages>();
  const auto converted = Model::load(work.output, {.log = log});
  CHECK(log->text.find("group") == std::string::npos);
  const auto direct = load_tiny(original_layout(shape), work.in, {.overrides = {{"deepseek2.expert_group_count", "1"}}});
  CHECK(logits_of(converted, AttentionMode::deepseek_mla).values == logits_of(direct, AttentionMode::deepseek_mla).values);
}

TEST_CASE("settings of config.json that are missing, absurd or not implemented: the key is named, and no file is left") {
  struct Case {
    const char* key;
    json value;
    Status status;
    const char* text = "";
  };
  const auto bad = Status::bad_file, unsupported = Status::unsupported;
  const json nothing;
  const json yarn = {{"type", "yarn"}, {"factor", 40}, {"original_max_position_embeddings", 64}, {"mscale", 1.0}, {"mscale_all_dim", 1.0}};
  const auto scaling = [&](const char* key, const json& value) {
    json changed = yarn;
    changed[key] = value;
    return changed;
  };
  const std::vector<Case> cases = {
      {"architectures", {"LlamaForCausalLM"}, unsupported, "DeepseekV3ForCausalLM"}, {"architectures", nothing, unsupported},
      {"architectures", 7, unsupported}, {"architectures", json::array(), unsupported}, {"vocab_size", nothing, bad, "missing"},
      {"vocab_size", 0, bad}, {"vocab_size", "many", bad}, {"vocab_size", 40.5, bad}, {"vocab_size", 1u << 25, bad},
      {"hidden_size", -1, bad}, {"num_hidden_layers", nothing, bad, "missing"}, {"max_position_embeddings", nothing, bad, "missing"},
      {"num_attention_heads", 0, bad}, {"kv_lora_rank", nothing, bad, "missing"}, {"qk_rope_head_dim", 7, bad, "odd"},
      {"q_lora_rank", -3, bad}, {"rms_norm_eps", 2, bad}, {"rms_norm_eps", "small", bad}, {"rope_theta", 0, bad},
      {"hidden_act", "gelu", unsupported}, {"attention_bias", true, unsupported}, {"rope_interleave", false, unsupported},
      {"quantization_config", {{"quant_method", "fp8"}}, unsupported, "[128, 128]"},
      {"quantization_config", {{"quant_method", "gptq"}}, unsupported, "gptq"},
      {"quantization_config", {{"quant_method", "fp8"}, {"fmt", "e5m2"}}, unsupported, "e5m2"},
      {"quantization_config", {{"quant_method", "fp8"}, {"weight_block_size", {128, 64}}}, unsupported, "[128, 128]"}, {"quantization_config", 8, bad},
      {"mlp_layer_types", {"sparse", "dense", "sparse"}, unsupported}, {"mlp_layer_types", {"dense"}, unsupported}, {"mlp_layer_types", "dense", bad}, {"moe_layer_freq", 2, unsupported},
      {"scoring_func", "tanh", unsupported, "tanh"}, {"scoring_func", "softmax", unsupported}, {"topk_method", "greedy", unsupported},
      {"n_group", 3, bad, "3 groups of 8"}, {"topk_group", 5, bad, "5 of 4"}, {"num_experts_per_tok", 9, bad, "9 of 8"},
      {"num_experts_per_tok", 0, bad}, {"n_shared_experts", 1 << 24, bad, "absurd"}, {"routed_scaling_factor", 0, bad},
      {"routed_scaling_factor", 1e38, bad}, {"norm_topk_prob", 1, bad}, {"rope_scaling", 4, bad},
      {"rope_scaling", {{"type", "linear"}, {"factor", 4}}, unsupported, "linear"}, {"rope_scaling", scaling("factor", 0), bad, "factor"},
      {"rope_scaling", scaling("mscale", 0.5), unsupported, "mscale"},
      {"rope_scaling", scaling("mscale_all_dim", nullptr), unsupported, "mscale"},
      {"rope_scaling", scaling("attention_factor", 2.0), unsupported, "attention_factor"},
      {"rope_scaling", scaling("beta_fast", -1), bad, "beta_fast"},
      {"rope_scaling", scaling("original_max_position_embeddings", -5), bad, "original_max_position_embeddings"},
      {"rope_parameters", {{"rope_type", "llama3"}, {"rope_theta", 1e4}}, unsupported, "llama3"}};
  const Work work;
  for (const Case& c : cases) {
    INFO(c.key << ": " << c.value);
    HfFolder changed = work.hf;
    changed.config[c.key] = c.value;
    changed.write_config(work.in.path());
    work.check_refused_by(c.status, {work.in / "config.json", c.key, c.text});
  }
}

TEST_CASE("folders that lack a file, or a tensor, or hold another than config.json says") {
  Work work;
  const auto again = [&](const auto& change) {
    HfFolder changed = work.hf;
    change(changed);
    changed.write(work.in.path());
  };
  const std::string weights = work.in / "model.safetensors", config = work.in / "config.json";
  for (const HfTensor& tensor : work.hf.tensors) {
    INFO(tensor.name);
    again([&](HfFolder& hf) { hf.remove_tensor(tensor.name); });
    work.check_refused_by(Status::bad_file, {work.in.path(), "tensor " + tensor.name + " is missing"});
    again([&](HfFolder& hf) {
      HfTensor& changed = hf.tensor(tensor.name);
      ++changed.shape[0];
      changed.bytes.append(changed.shape.size() == 1 ? 4 : 4 * changed.shape[1], '\0');
    });
    work.check_refused_by(Status::bad_file, {weights, "tensor " + tensor.name, "shape"});
    again([&](HfFolder& hf) { hf.tensor(tensor.name).shape.push_back(1); });
    work.check_refused_by(Status::bad_file, {weights, "tensor " + tensor.name, "shape"});
  }
  // Official V3 weights, should config.json not say that they are quantised.
  again([](HfFolder& hf) {
    HfTensor& q = hf.tensor("model.layers.0.self_attn.q_a_proj.weight");
    q.bytes.resize(q.bytes.size() / 4), q.dtype = "F8_E4M3";
    hf.tensors.push_back({"model.layers.0.self_attn.q_a_proj.weight_scale_inv", "F32", {1, 1}, "abcd"});
  });
  work.check_refused_by(Status::unsupported, {weights, "tensor model.layers.0.self_attn.q_a_proj.weight", "F8_E4M3"});
  again([](HfFolder& hf) { hf.tensors.push_back({"model.layers.0.self_attn.q_a_proj.bias", "F32", {1}, "abcd"}); });
  work.check_refused_by(Status::unsupported, {weights, "tensor model.layers.0.self_attn.q_a_proj.bias"});
  again([](HfFolder& hf) { hf.tensors.push_back({"model.layers.3.eh_proj.weight", "F32", {1}, "abcd"}); });  // no such layer is announced
  work.check_refused_by(Status::unsupported, {weights, "tensor model.layers.3.eh_proj.weight"});
  again([](HfFolder& hf) { hf.tensor("lm_head.weight").dtype = "I32"; });
  work.check_refused_by(Status::unsupported, {weights, "tensor lm_head.weight", "I32"});

  reset_largest_allocation();
  again([](HfFolder& hf) { hf.config["n_routed_experts"] = 1 << 24; });
  work.check_refused_by(Status::bad_file, {weights, "tensor model.layers.1.mlp.gate.weight", "shape"});
  again([](HfFolder& hf) { hf.config["num_hidden_layers"] = 1 << 24; });
  work.check_refused_by(Status::bad_file, {work.in.path(), "tensor model.layers.3.input_layernorm.weight is missing"});
  CHECK(largest_allocation() < (std::size_t{2} << 20));

  again([](HfFolder&) {});
  const std::string good = read_bytes(weights);
  for (const std::size_t size : {good.size() - 1, good.size() / 2, std::size_t{100}, std::size_t{8}, std::size_t{0}}) {
    write_bytes(weights, good.substr(0, size));
    work.check_refused_by(Status::bad_file, {weights});
  }
  std::filesystem::remove(weights);
  work.check_refused_by(Status::not_found, {weights});
  write_bytes(work.in / "model.safetensors.index.json", R"({"weight_map":{"lm_head.weight":"part.safetensors"}})");
  work.check_refused_by(Status::not_found, {work.in / "part.safetensors"});

  write_bytes(config, "{\"architectures\": [");
  work.check_refused_by(Status::bad_file, {config, "not JSON, or cut off, at byte 19 of 19"});
  write_bytes(config, "[]");
  work.check_refused_by(Status::bad_file, {config});
  std::filesystem::remove(config);
  work.check_refused_by(Status::not_found, {config});
}

TEST_CASE("wrong tokenizers, types and outputs leave no file") {
  Work work;
  for (const char* text : {"", "{", "[]", "{}"}) {
    write_bytes(work.in / "tokenizer.json", text);
    work.check_refused_by(Status::bad_file, {work.in / "tokenizer.json"});
  }
  std::filesystem::remove(work.in / "tokenizer.json");
  work.check_refused_by(Status::invalid_argument, {"q4_k"}, {.type = "q4_k"});
  work.check_refused_by(Status::invalid_argument, {"nonsense"}, {.type = "nonsense"});
  check_refused([&] { convert_huggingface(work.in.path(), work.out / "no/such/folder.gguf"); }, Status::not_found,
                {work.out / "no/such/folder.gguf"});
  std::filesystem::create_directory(work.output);
  check_refused([&] { convert_huggingface(work.in.path(), work.output); }, Status::io_error, {work.output});
  std::filesystem::remove(work.output);
  CHECK(work.out.empty());

}

TEST_CASE("a conversion that is stopped goes on where it was, and trusts nothing it finds") {
  const Work work;
  const std::string part = work.output + ".part", journal = part + ".journal";
  int calls = 0;
  convert_huggingface(work.in.path(), work.output, {.progress = [&](auto, auto, auto) { return ++calls > 0; }});
  CHECK(calls > 20);
  const std::string whole = read_bytes(work.output);
  std::filesystem::remove(work.output);
  const auto stop_after = [&](int n) {
    int left = n;
    check_refused([&] { convert_huggingface(work.in.path(), work.output, {.progress = [&](auto, auto, auto) { return left-- > 0; }}); },
                  Status::aborted, {work.output});
    CHECK_FALSE(std::filesystem::exists(work.output));
  };
  const auto finish = [&] {
    int n = 0;
    convert_huggingface(work.in.path(), work.output, {.progress = [&](std::string_view phase, auto, auto) { return n += phase == "convert", true; }});
    CHECK(read_bytes(work.output) == whole);
    std::filesystem::remove(work.output);
    CHECK(work.out.empty());
    return n;
  };
  for (int last = 0; last < calls - 1; last += 7) {
    INFO("stopped after " << last);
    stop_after(last);
    check_refused([&] { (void)Model::load(part); }, Status::bad_file, {part});
    CHECK(finish() == calls - last);  // the tensor in work is done again
  }
  // Bytes of the part, of the journal, and of what they are made from, that changed or are gone.
  const int middle = calls / 2;
  for (const std::string& file : {part, journal})
    for (const double place : {0.0, 0.3, 0.5, 0.99}) {
      INFO(file << " at " << place);
      stop_after(middle);
      std::string bytes = read_bytes(file);
      bytes[static_cast<std::size_t>(place * static_cast<double>(bytes.size()))] ^= 1;
      write_bytes(file, bytes);
      CHECK(finish() >= calls - middle);
      stop_after(middle);
      write_bytes(file, read_bytes(file).substr(0, static_cast<std::size_t>(place * static_cast<double>(bytes.size()))));
      CHECK(finish() > calls - middle);
    }
  stop_after(middle);
  work.hf.write(work.in.path());
  CHECK(finish() == calls);
  stop_after(middle);
  convert_huggingface(work.in.path(), work.output, {.type = "f32"});  // another header
  CHECK(read_bytes(work.output) != whole);

  // A file that was there before stays what it was.
  write_bytes(work.output, "precious");
  check_refused([&] { convert_huggingface(work.in.path(), work.output, {.progress = [](auto, auto, auto) { return false; }}); },
                Status::aborted, {work.output});
  CHECK(read_bytes(work.output) == "precious");
}
