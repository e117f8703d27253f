// Importance matrices: what contexts collect, sums of several, and what is derived.
#include <mla/imatrix.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include "demo_variant.hpp"
#include "quant/dequantize.hpp"
#include "refusal.hpp"
#include "run_model.hpp"
#include "scratch_folder.hpp"

using namespace mla;

namespace {

const std::string golden_file = MLA_SOURCE_DIR "/tests/golden/imatrix/demo.gguf";
const std::string tokens_file = MLA_SOURCE_DIR "/tests/golden/logits/demo/tokens.txt";
constexpr AttentionMode modes[] = {AttentionMode::deepseek2, AttentionMode::deepseek_mla, AttentionMode::automatic};

struct Setting {
  AttentionMode mode = AttentionMode::deepseek_mla;
  int chunk = 0;  // tokens of a batch; 0: all
  int threads = 1;
};

Imatrix collect(const std::shared_ptr<const Model>& model, const std::vector<Token>& tokens, const Setting& setting, Logits* logits = nullptr) {
  const auto collector = std::make_shared<ImatrixCollector>(model);
  ContextOptions options;
  options.attention = setting.mode;
  options.n_ctx = 320;
  options.cache_type_k = options.cache_type_v = CacheType::f32;
  options.n_threads = setting.threads;
  options.collector = collector;
  Context context(model, options);
  const Logits found = run_tokens(context, tokens, setting.chunk);
  if (logits != nullptr) *logits = found;
  return collector->result();
}

// Counts equal, and sums within a share of the entry's largest: the oracle computes in float64.
void check_entry(const ImatrixEntry& found, const ImatrixEntry& expected, float tolerance = 1e-4f) {
  INFO(found.name);
  CHECK(found.counts == expected.counts);
  REQUIRE(found.sums.size() == expected.sums.size());
  const float largest = *std::ranges::max_element(expected.sums);
  REQUIRE(largest > 0);
  float worst = 0;
  for (std::size_t i = 0; i < found.sums.size(); ++i) worst = std::max(worst, std::abs(found.sums[i] - expected.sums[i]));
  CHECK(worst < tolerance * largest);
}

bool is_v_b(const ImatrixEntry& entry) { return entry.name.ends_with("attn_v_b.weight"); }

Imatrix without(Imatrix imatrix, const std::vector<std::string>& endings) {
  std::erase_if(imatrix.entries, [&](const ImatrixEntry& entry) { return std::ranges::any_of(endings, [&](const auto& end) { return entry.name.ends_with(end); }); });
  return imatrix;
}

bool equal(const Imatrix& a, const Imatrix& b) {
  return std::ranges::equal(a.entries, b.entries, [](const ImatrixEntry& x, const ImatrixEntry& y) { return x.name == y.name && x.sums == y.sums && x.counts == y.counts; }) &&
         a.datasets == b.datasets && a.n_chunks == b.n_chunks && a.chunk_tokens == b.chunk_tokens;
}

}  // namespace

TEST_CASE("what a context collects is what an implementation in float64 sums, in every mode and batching") {
  const Imatrix golden = load_imatrix(golden_file);
  REQUIRE(golden.entries.size() == 35);
  const auto model = Model::load(demo_model);
  const std::vector<Token> tokens = read_tokens(tokens_file);
  for (const AttentionMode mode : modes)
    for (const int chunk : {0, 1, 7}) {
      INFO(to_string(mode) << ", chunks of " << chunk << " (0: all)");
      const Imatrix found = collect(model, tokens, {mode, chunk, 2});
      const auto n_v_b = std::ranges::count_if(found.entries, is_v_b);
      if (mode == AttentionMode::deepseek_mla) CHECK(n_v_b == 3);
      if (mode == AttentionMode::deepseek2) CHECK(n_v_b == 0);  // part of kv_b
      CHECK(found.entries.size() == static_cast<std::size_t>(32 + n_v_b));
      for (const ImatrixEntry& entry : found.entries) {
        REQUIRE(golden.find(entry.name) != nullptr);
        if (mode != AttentionMode::automatic || !is_v_b(entry)) check_entry(entry, *golden.find(entry.name));  // auto: of the tokens in absorbed form
      }
    }
}

TEST_CASE("sums don't depend on the number of threads, nor logits on a collector") {
  const auto model = Model::load(demo_model);
  std::vector<Token> tokens = read_tokens(tokens_file);
  tokens.resize(100);
  Logits watched;
  const Imatrix one = collect(model, tokens, {.threads = 1}, &watched);
  CHECK(equal(one, collect(model, tokens, {.threads = 3})));
  ContextOptions options;
  options.attention = AttentionMode::deepseek_mla;
  options.n_ctx = 320, options.n_threads = 1;
  options.cache_type_k = options.cache_type_v = CacheType::f32;
  Context plain(model, options);
  CHECK(run_tokens(plain, tokens, 0).values == watched.values);
}

TEST_CASE("a repacked model gives the same entries") {
  const ScratchFolder folder;
  write_demo_variant(folder / "q8.gguf", {.type = quant::Type::q8_0});
  const Imatrix golden = load_imatrix(golden_file);
  ModelOptions options;
  options.repack = RepackMode::always;
  const auto repacked = Model::load(folder / "q8.gguf", options);
  const Imatrix found = collect(repacked, read_tokens(tokens_file), {});
  CHECK(found.entries.size() == 35);
  // Rounded weights move the activations of later layers and a few routing decisions: only what is before them is close.
  for (const char* name : {"blk.0.attn_q_a.weight", "blk.0.attn_q_b.weight", "blk.0.attn_kv_b.weight", "blk.0.attn_k_b.weight", "blk.0.attn_v_b.weight"}) {
    REQUIRE(found.find(name) != nullptr);
    check_entry(*found.find(name), *golden.find(name), 0.02f);
  }
}

TEST_CASE("a collector is for one model, and says which matrix met what is not finite") {
  const auto model = Model::load(demo_model), other = Model::load(demo_model);
  ContextOptions options;
  options.collector = std::make_shared<ImatrixCollector>(other);
  check_refused([&] { Context(model, options); }, Status::invalid_argument, {"collector"});
  check_refused([] { ImatrixCollector(nullptr); }, Status::invalid_argument, {"model"});
  CHECK(options.collector->result().entries.empty());

  const ScratchFolder folder;
  write_demo_variant(folder / "nan.gguf", {.change = [](const format::TensorInfo& tensor, std::vector<float>& values) {
    if (tensor.name == "blk.1.ffn_norm.weight") values[3] = std::numeric_limits<float>::quiet_NaN();
  }});
  check_refused([&] { collect(Model::load(folder / "nan.gguf"), {0, 5, 9}, {}); }, Status::bad_file, {"blk.1.ffn_gate", "not finite"});
}

TEST_CASE("experts that no token went to") {
  const auto model = Model::load(demo_model);
  Imatrix imatrix = collect(model, {0}, {});  // three experts of eight
  const Imatrix before = imatrix;
  const std::vector<UnusedExperts> unused = fill_unused(imatrix);
  REQUIRE(unused.size() == 3);
  for (const UnusedExperts& of : unused) {
    INFO(of.name);
    CHECK(of.experts.size() == 5);
    CHECK(of.n_experts == 8);
    CHECK(of.filled == (of.name != "blk.2.ffn_down_exps.weight"));
    const ImatrixEntry &entry = *imatrix.find(of.name), &was = *before.find(of.name);
    if (!of.filled) CHECK((entry.counts == was.counts && entry.sums == was.sums));
    for (std::size_t e = 0; of.filled && e < 8; ++e) {
      CHECK(entry.counts[e] == 1);
      // The three that were used read the same row.
      const auto n = static_cast<std::size_t>(entry.n_columns());
      for (std::size_t i = 0; i < n; ++i) REQUIRE(entry.sums[e * n + i] == Approx(entry.sums[static_cast<std::size_t>(std::ranges::find(was.counts, 1) - was.counts.begin()) * n + i]));
    }
  }
  CHECK(fill_unused(imatrix).size() == 1);
}

TEST_CASE("what two texts measured adds up") {
  const auto model = Model::load(demo_model);
  const std::vector<Token> tokens = read_tokens(tokens_file);
  Imatrix first = collect(model, {tokens.begin(), tokens.begin() + 100}, {}), second = collect(model, {tokens.begin() + 100, tokens.end()}, {});
  first.datasets = {"a"}, second.datasets = {"b"};
  first.n_chunks = 1, second.n_chunks = 2;
  first.chunk_tokens = second.chunk_tokens = 100;
  Imatrix sum;
  add_imatrix(sum, first);
  CHECK(equal(sum, first));
  add_imatrix(sum, second);
  CHECK(sum.datasets == std::vector<std::string>{"a", "b"});
  CHECK(sum.n_chunks == 3);
  CHECK(sum.chunk_tokens == 100);
  for (const ImatrixEntry& entry : sum.entries)
    for (std::size_t i = 0; i < entry.sums.size(); ++i) {
      REQUIRE(entry.sums[i] == first.find(entry.name)->sums[i] + second.find(entry.name)->sums[i]);
      const std::size_t matrix = i / static_cast<std::size_t>(entry.n_columns());
      REQUIRE(entry.counts[matrix] == first.find(entry.name)->counts[matrix] + second.find(entry.name)->counts[matrix]);
    }

  Imatrix wrong = second;
  wrong.entries[4].sums.pop_back();
  const Imatrix kept = sum;
  check_refused([&] { add_imatrix(sum, wrong); }, Status::invalid_argument, {wrong.entries[4].name, "not of one model"});
  CHECK(equal(sum, kept));
}

TEST_CASE("files of the old format, which count pieces of text, and of the new one add up in either order") {
  const ScratchFolder folder;
  Imatrix imatrix{{{"blk.0.attn_q.weight", {20, 40}, {10}}, {"blk.0.ffn_up_exps.weight", {5, 5, 30, 10}, {5, 10}}}, {"t"}, 5, 2};
  save_imatrix(folder / "old.dat", imatrix, ImatrixFormat::dat);
  const Imatrix old = load_imatrix(folder / "old.dat");
  Imatrix a = imatrix, b = old;
  add_imatrix(a, old);
  add_imatrix(b, imatrix);
  for (const Imatrix* sum : {&a, &b}) {
    CHECK(sum->chunk_tokens == 2);
    CHECK(sum->n_chunks == 10);
    CHECK(sum->entries[0].counts == std::vector<std::int64_t>{20});
    CHECK(sum->entries[0].sums == std::vector<float>{40, 80});
    CHECK(sum->entries[1].counts == std::vector<std::int64_t>{15, 20});  // the old file's experts count alike: as often as there are rows
    CHECK(sum->entries[1].sums == std::vector<float>{15, 15, 60, 20});
  }
}

TEST_CASE("k_b and v_b from files that have kv_b alone") {
  const Imatrix golden = load_imatrix(golden_file);
  const auto model = Model::load(demo_model);
  Imatrix imatrix = without(golden, {"attn_k_b.weight", "attn_v_b.weight"});
  const DerivedEntries derived = derive_mla(imatrix, *model);
  CHECK(derived.n_k_b == 3);
  CHECK(derived.n_v_b == 3);
  CHECK(derived.missing.empty());
  CHECK(imatrix.entries.size() == golden.entries.size());
  const auto file = format::GgufFile::open(demo_model, {});
  for (const std::string layer : {"blk.0.", "blk.2."}) {
    const ImatrixEntry &v_b = *imatrix.find(layer + "attn_v_b.weight"), &kv_b = *golden.find(layer + "attn_kv_b.weight");
    REQUIRE(v_b.counts == std::vector<std::int64_t>(4, 300));
    for (std::size_t i = 0; i < v_b.sums.size(); ++i) REQUIRE(v_b.sums[i] == kv_b.sums[i % 256]);

    const ImatrixEntry &k_b = *imatrix.find(layer + "attn_k_b.weight"), &q_b = *golden.find(layer + "attn_q_b.weight");
    REQUIRE(k_b.sums.size() == 4 * 32);
    const auto* w = file.find(layer + "attn_q_b.weight");
    std::vector<float> row(256);
    for (std::size_t i = 0; i < k_b.sums.size(); ++i) {
      const std::size_t at = i / 32 * 64 + i % 32;  // rows of a head: 32 nope, 32 rope
      quant::dequantize(quant::Type::f16, w->data + at * 512, row.data(), 256);
      double sum = 0;
      for (std::size_t k = 0; k < 256; ++k) sum += static_cast<double>(row[k]) * row[k] * q_b.sums[k];
      REQUIRE(k_b.sums[i] == Approx(sum).epsilon(1e-5));
    }
  }
  // What is there stays as it is.
  Imatrix whole = golden;
  const DerivedEntries none = derive_mla(whole, *model);
  CHECK(none.n_k_b + none.n_v_b == 0);
  CHECK(equal(whole, golden));
}

TEST_CASE("k_b is exact where the columns of W_q's input are uncorrelated") {
  // An input of one column that isn't zero.
  const Imatrix golden = load_imatrix(golden_file);
  const auto model = Model::load(demo_model);
  Imatrix imatrix{{{"blk.1.attn_q_b.weight", std::vector<float>(256), {4}}}, {}, 0, 0};
  imatrix.entries[0].sums[17] = 8;
  const DerivedEntries derived = derive_mla(imatrix, *model);
  CHECK(derived.n_k_b == 1);
  CHECK(derived.n_v_b == 0);
  CHECK(derived.missing.size() == 5);  // q_b of two layers, kv_b of three
  CHECK(std::ranges::count(derived.missing, "blk.0.attn_kv_b.weight") == 1);
  const auto file = format::GgufFile::open(demo_model, {});
  std::vector<float> row(256);
  quant::dequantize(quant::Type::f16, file.find("blk.1.attn_q_b.weight")->data + 65 * 512, row.data(), 256);
  CHECK(imatrix.find("blk.1.attn_k_b.weight")->sums[33] == Approx(8 * row[17] * row[17]));
}

TEST_CASE("deriving from another model's file is refused, and changes nothing") {
  const auto model = Model::load(demo_model);
  Imatrix imatrix = without(load_imatrix(golden_file), {"attn_k_b.weight", "attn_v_b.weight"});
  for (const char* name : {"blk.1.attn_kv_b.weight", "blk.2.attn_q_b.weight"}) {
    Imatrix wrong = imatrix;
    std::ranges::find(wrong.entries, name, &ImatrixEntry::name)->sums.resize(128);
    const Imatrix kept = wrong;
    check_refused([&] { derive_mla(wrong, *model); }, Status::invalid_argument, {name, "another model"});
    CHECK(equal(wrong, kept));
  }
}
