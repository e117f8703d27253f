// Metadata: rules for what is missing, and refusals by key.
#include <cmath>
#include <functional>

#include "format/gguf.hpp"
#include "model/config.hpp"
#include "moe/router.hpp"
#include "refusal.hpp"
#include "run_tiny.hpp"

using namespace mla;

namespace {

using Change = std::function<void(TinyModel&)>;

// V3's and R1's depth, experts and gating with everything else as small as it can be.
const TinyShape r1{.n_vocab = 16, .n_embd = 8, .n_layers = 61, .n_dense = 3, .n_ff = 8, .n_heads = 1, .n_nope = 4, .n_rope = 2,
                   .n_value = 4, .n_latent = 8, .q_lora = 4, .n_experts = 256, .n_used = 8, .n_shared = 1, .n_ff_expert = 4,
                   .n_groups = 8, .n_groups_used = 4};

// Only what read_config() looks at: the keys, and the names of tensors.
model::Config config_of(const TinyModel& model, const ScratchFolder& folder, const std::map<std::string, std::string>& overrides = {},
                        LogSink* log = nullptr) {
  TinyModel header = model;
  for (TinyTensor& tensor : header.tensors) tensor = float_tensor(tensor.name, {1}, {0});
  header.write(folder / "header.gguf");
  return model::read_config(format::GgufFile::open(folder / "header.gguf", {}), overrides, log);
}

}  // namespace

TEST_CASE("files of V3's shape without group keys: 8 groups, 4 used, with a warning; the keys and an override win") {
  const ScratchFolder folder;
  TinyModel model = original_layout(r1);
  const auto logits = [&](const ModelOptions& options = {}) {
    return logits_of(load_tiny(model, folder, options), AttentionMode::deepseek2).values;
  };
  const auto log = std::make_shared<Messages>();
  const auto with_keys = logits({.log = log});
  CHECK(log->text.find("group") == std::string::npos);
  model.remove_key("expert_group_count");
  model.remove_key("expert_group_used_count");
  CHECK(logits({.log = log}) == with_keys);
  for (const char* text : {"tiny.gguf", "8 groups", "4", "deepseek2.expert_group_count=1"}) CHECK_THAT(log->text, Catch::Contains(text));
  log->text.clear();
  const auto ungrouped = logits({.log = log, .overrides = {{"deepseek2.expert_group_count", "1"}}});
  CHECK(log->text.find("group") == std::string::npos);
  CHECK(ungrouped != with_keys);
  CHECK(logits({.overrides = {{"deepseek2.expert_group_count", "16"}, {"deepseek2.expert_group_used_count", "4"}}}) != with_keys);
  model.set("expert_group_count", 1u);
  CHECK(logits() == ungrouped);
}

TEST_CASE("other shapes without group keys have no groups") {
  const ScratchFolder folder;
  const auto groups = [&](const TinyShape& shape) {
    TinyModel keys = original_layout({.n_layers = 0, .n_groups = 1, .sigmoid = shape.sigmoid});
    keys.set("block_count", static_cast<std::uint32_t>(shape.n_layers));
    keys.set("leading_dense_block_count", static_cast<std::uint32_t>(shape.n_dense));
    keys.set("expert_count", static_cast<std::uint32_t>(shape.n_experts));
    const model::Config config = config_of(keys, folder);
    return std::pair(config.router.n_groups, config.router.n_groups_used);
  };
  CHECK(groups(r1) == std::pair(8, 4));
  TinyShape kimi = r1, deeper = r1, softmax = r1;
  kimi.n_experts = 384, deeper.n_layers = 60, softmax.sigmoid = false;
  for (const TinyShape& shape : {kimi, deeper, softmax, TinyShape{}}) CHECK(groups(shape) == std::pair(1, 1));
}

TEST_CASE("a missing expert_gating_func is sigmoid where there is a bias, else softmax") {
  const ScratchFolder folder;
  const auto gating = [&](const Change& change) {
    TinyModel model = original_layout(TinyShape{});
    change(model);
    return config_of(model, folder).router.gating;
  };
  const auto drop = [](TinyModel& m) { m.remove_key("expert_gating_func"); };
  const auto drop_bias = [](TinyModel& m) {
    for (const char* name : {"blk.1.exp_probs_b.bias", "blk.2.exp_probs_b.bias"}) m.remove_tensor(name);
  };
  CHECK(gating([](TinyModel&) {}) == moe::Gating::sigmoid);
  CHECK(gating(drop) == moe::Gating::sigmoid);
  CHECK(gating([&](TinyModel& m) { drop(m), drop_bias(m); }) == moe::Gating::softmax);
  CHECK(gating([&](TinyModel& m) { m.set("expert_gating_func", 0u); }) == moe::Gating::sigmoid);
  CHECK(gating([&](TinyModel& m) { m.set("expert_gating_func", 1u); }) == moe::Gating::softmax);
  CHECK(gating([&](TinyModel& m) { drop_bias(m); }) == moe::Gating::sigmoid);
  CHECK(gating([&](TinyModel& m) { drop(m), m.tensor("blk.1.exp_probs_b.bias").name = "blk.1.exp_probs_b"; }) == moe::Gating::sigmoid);
}

TEST_CASE("the bias is found under both of its names, and the logits of a softmax model don't need one") {
  const ScratchFolder folder;
  TinyModel model = original_layout(TinyShape{});
  const Logits reference = logits_of(load_tiny(model, folder), AttentionMode::deepseek2);
  const std::string names[] = {"blk.1.exp_probs_b", "blk.2.exp_probs_b"};
  for (const std::string& name : names) model.tensor(name + ".bias").name = name;
  model.remove_key("expert_gating_func");
  CHECK(logits_of(load_tiny(model, folder), AttentionMode::deepseek2).values == reference.values);
  for (const std::string& name : names) model.remove_tensor(name);
  CHECK(relative_difference(logits_of(load_tiny(model, folder), AttentionMode::deepseek2), reference) > 0.01);
}

TEST_CASE("keys that change the mathematics and aren't implemented refuse the file by name") {
  const ScratchFolder folder;
  const std::vector<std::pair<std::string, TinyValue>> unknown = {
      {"attention.temperature_length", 8192u}, {"attention.temperature_scale", 0.1f}, {"attention.scale", 0.25f},
      {"attention.output_scale", 0.5f}, {"attention.sliding_window", 4096u}, {"attention.indexer.head_count", 64u},
      {"attention.indexer.top_k", 2048u}, {"attention.causal", false}, {"attn_logit_softcapping", 30.0f},
      {"final_logit_softcapping", 30.0f}, {"logit_scale", 0.5f}, {"embedding_scale", 12.0f}, {"residual_scale", 0.3f},
      {"interleave_moe_layer_step", 2u}, {"expert_group_scale", 0.5f}, {"rope.dimension_sections", std::vector<std::int32_t>{1, 1}},
      {"rope.scaling.type", std::string("linear")}, {"rope.scaling.type", std::string("longrope")}, {"rope.scaling.attn_factor", 0.5f},
      {"rope.scaling.yarn_attn_factor", 0.5f}, {"rope.scaling.yarn_ext_factor", 0.0f}, {"expert_gating_func", 3u},
      {"expert_gating_func", 4u}, {"some.key.of.tomorrow", std::string("x")}};
  for (const auto& [key, value] : unknown) {
    INFO(key);
    TinyModel model = original_layout(TinyShape{});
    model.set(key, value);
    check_refused([&] { load_tiny(model, folder); }, Status::unsupported, {folder / "tiny.gguf", "metadata key deepseek2." + key});
  }
  TinyModel other = original_layout(TinyShape{});
  other.key("general.architecture") = std::string("llama");
  check_refused([&] { load_tiny(other, folder); }, Status::unsupported, {folder / "tiny.gguf", "general.architecture", "'llama'"});
}

TEST_CASE("keys that say what is the default change nothing") {
  const ScratchFolder folder;
  TinyModel model = original_layout(TinyShape{});
  const Logits reference = logits_of(load_tiny(model, folder), AttentionMode::deepseek2);
  for (const std::string key : {"attn_factor", "yarn_attn_factor", "yarn_ext_factor", "yarn_beta_slow"})
    model.set("rope.scaling." + key, 1.0f);
  model.set("rope.scaling.yarn_beta_fast", 32.0f);
  model.set("rope.scaling.finetuned", true);
  model.set("nextn_predict_layers", 0u);
  model.keys.emplace_back("quantize.imatrix.file", std::string("words.dat"));
  model.remove_key("vocab_size"), model.remove_key("attention.layer_norm_rms_epsilon"), model.remove_key("rope.freq_base");
  CHECK(logits_of(load_tiny(model, folder), AttentionMode::deepseek2).values == reference.values);

  model.remove_key("rope.scaling.type");  // a factor of nobody knows what
  check_refused([&] { load_tiny(model, folder); }, Status::bad_file, {folder / "tiny.gguf", "deepseek2.rope.scaling.type"});
  model.set("rope.scaling.factor", 1.0f);
  const Logits unscaled = logits_of(load_tiny(model, folder), AttentionMode::deepseek2);
  model.set("rope.scaling.type", std::string("none"));
  model.set("rope.scaling.factor", 40.0f);
  CHECK(logits_of(load_tiny(model, folder), AttentionMode::deepseek2).values == unscaled.values);
  CHECK(relative_difference(unscaled, reference) > 1e-3);
}

TEST_CASE("keys that are missing, absurd or contradict one another") {
  struct Case {
    std::string key;
    TinyValue value;
    const char* text = "";
  };
  const auto nothing = std::string("missing");
  const std::vector<Case> cases = {
      {"block_count", 0u}, {"block_count", 0xffffffffu}, {"block_count", std::string("3")}, {"block_count", 1.5f}, {"context_length", 0u},
      {"embedding_length", 0u}, {"embedding_length", 1u << 25}, {"vocab_size", 0x80000000u}, {"attention.head_count", 0u},
      {"attention.head_count_kv", 2u, "neither 1 nor"}, {"attention.kv_lora_rank", 0u}, {"attention.key_length", 8u, "nothing beside"},
      {"attention.key_length_mla", 24u, "belong together"}, {"rope.dimension_count", 7u, "odd"}, {"rope.dimension_count", 0u},
      {"attention.layer_norm_rms_epsilon", 0.0f}, {"attention.layer_norm_rms_epsilon", NAN}, {"attention.layer_norm_rms_epsilon", -1.0f},
      {"rope.freq_base", 0.0f}, {"rope.freq_base", INFINITY}, {"rope.freq_base", NAN}, {"rope.freq_base", true},
      {"rope.scaling.factor", 0.5f}, {"rope.scaling.factor", NAN}, {"rope.scaling.original_context_length", 0u},
      {"rope.scaling.yarn_beta_fast", 0.0f}, {"rope.scaling.yarn_beta_slow", -1.0f}, {"rope.scaling.yarn_log_multiplier", INFINITY},
      {"rope.scaling.type", 7u}, {"expert_count", 1u << 30}, {"expert_used_count", 0u}, {"expert_used_count", 9u, "9 of 8"},
      {"expert_feed_forward_length", 0u}, {"expert_shared_count", 1u << 24, "absurd"}, {"expert_weights_scale", NAN},
      {"expert_weights_scale", -2.5f}, {"expert_weights_norm", 1u}, {"expert_group_count", 3u, "3 groups of 8"},
      {"expert_group_count", 128u}, {"expert_group_used_count", 5u, "5 of 4"}, {"expert_group_used_count", 1u, "1 of 4"},
      {"nextn_predict_layers", 3u, "no layers"}, {"feed_forward_length", 0u}, {"block_count", nothing, "missing"},
      {"context_length", nothing, "missing"}, {"embedding_length", nothing, "missing"}, {"attention.head_count", nothing, "missing"},
      {"attention.kv_lora_rank", nothing, "missing"}, {"attention.key_length", nothing, "missing"},
      {"attention.value_length", nothing, "missing"}, {"rope.dimension_count", nothing, "missing"},
      {"expert_feed_forward_length", nothing, "missing"}, {"feed_forward_length", nothing, "missing"}};
  const ScratchFolder folder;
  for (const Case& c : cases) {
    TinyModel model = original_layout(TinyShape{});
    if (c.value == TinyValue(nothing))
      model.remove_key(c.key);
    else
      model.set(c.key, c.value);
    INFO(c.key << " " << c.text);
    check_refused([&] { load_tiny(model, folder); }, Status::bad_file, {folder / "tiny.gguf", "metadata key deepseek2." + c.key, c.text});
  }
  TinyModel mainline = mainline_layout(original_layout(TinyShape{}), TinyShape{});
  mainline.set("attention.key_length", 24u);
  check_refused([&] { load_tiny(mainline, folder); }, Status::bad_file,
                {folder / "tiny.gguf", "deepseek2.attention.key_length", "key_length_mla"});
  TinyModel nameless = original_layout(TinyShape{});
  nameless.keys.erase(nameless.keys.begin());
  check_refused([&] { load_tiny(nameless, folder); }, Status::bad_file, {folder / "tiny.gguf", "general.architecture"});
}

TEST_CASE("overrides are read as their key's type, and one that nobody reads is an error") {
  const ScratchFolder folder;
  const TinyModel model = original_layout(TinyShape{});
  const auto load = [&](const char* key, const char* value) { return load_tiny(model, folder, {.overrides = {{key, value}}}); };
  const Logits reference = logits_of(load_tiny(model, folder), AttentionMode::deepseek2);
  CHECK(logits_of(load("deepseek2.rope.freq_base", "10000"), AttentionMode::deepseek2).values == reference.values);
  CHECK(logits_of(load("deepseek2.rope.freq_base", "500.5"), AttentionMode::deepseek2).values != reference.values);
  CHECK(logits_of(load("deepseek2.expert_weights_norm", "false"), AttentionMode::deepseek2).values != reference.values);
  const auto refused = [&](const char* key, const char* value) {
    check_refused([&] { load(key, value); }, Status::invalid_argument, {key});
  };
  refused("deepseek2.expert_used_count", "three");
  refused("deepseek2.expert_used_count", "3.5");
  refused("deepseek2.expert_used_count", "");
  refused("deepseek2.rope.freq_base", "1e4x");
  refused("deepseek2.expert_weights_norm", "yes");
  refused("deepseek2.no_such_key", "1");
  refused("general.name", "x");
  check_refused([&] { load("deepseek2.expert_used_count", "-1"); }, Status::bad_file, {"deepseek2.expert_used_count"});
}
