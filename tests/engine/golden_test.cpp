// Logits against Hugging Face transformers (tests/golden/logits): every mode, however the tokens are cut into batches.
#include <filesystem>
#include <fstream>
#include <mla/convert.hpp>

#include "npy.hpp"
#include "run_model.hpp"

using namespace mla;

namespace {

constexpr double bound = 2e-4;  // of the largest |logit|

const std::string golden = MLA_SOURCE_DIR "/tests/golden/logits/";

class ConvertedModel {
 public:
  explicit ConvertedModel(const std::string& name) : path_((std::filesystem::temp_directory_path() / ("mla_golden_" + name + ".gguf")).string()) {
    convert_huggingface(golden + name, path_, {.type = "f32"});
    model = Model::load(path_);
  }
  ~ConvertedModel() { std::filesystem::remove(path_); }
  ConvertedModel(const ConvertedModel&) = delete;
  ConvertedModel& operator=(const ConvertedModel&) = delete;

  std::shared_ptr<const Model> model;

 private:
  std::string path_;
};

Context f32_context(const std::shared_ptr<const Model>& model, AttentionMode mode, int n_ctx) {
  ContextOptions options;
  options.attention = mode;
  options.n_ctx = n_ctx;
  options.cache_type_k = options.cache_type_v = CacheType::f32;
  options.n_threads = 2;
  return Context(model, options);
}

// Three sequences, each of all tokens, four tokens of one then of the next; returns the logits of each.
std::vector<Logits> run_interleaved(Context& context, const std::vector<Token>& tokens) {
  std::vector<Logits> all(3);
  const int n = static_cast<int>(tokens.size()), run = 4;
  for (int begin = 0; begin < n; begin += 5 * run) {  // sixty rows a batch
    Batch batch;
    for (int first = begin; first < std::min(begin + 5 * run, n); first += run)
      for (SequenceId seq = 0; seq < 3; ++seq)
        for (int i = first; i < std::min(first + run, n); ++i) batch.add(tokens[static_cast<std::size_t>(i)], i, seq, true);
    context.decode(batch);
    for (int i = 0; i < batch.size(); ++i) all[static_cast<std::size_t>(batch.sequences[static_cast<std::size_t>(i)])].append(context.logits(i));
  }
  return all;
}

void check_logits(const Logits& got, const Logits& expected) {
  CHECK(relative_difference(got, expected) < bound);
  CHECK(argmax_disagreements(got, expected, bound) == 0);
}

Logits every_tenth(const Logits& all) {
  Logits some;
  for (std::size_t row = 9; row < all.values.size() / all.n_vocab; row += 10) some.append(std::span(all.values).subspan(row * all.n_vocab, all.n_vocab));
  return some;
}

Logits read_logits(const std::string& path) {
  Npy array = Npy::read(path);
  REQUIRE(array.shape.size() == 2);
  return {array.shape[1], std::move(array.values)};
}

constexpr AttentionMode modes[] = {AttentionMode::deepseek2, AttentionMode::deepseek_mla, AttentionMode::automatic};

}  // namespace

TEST_CASE("logits of random models are those of transformers", "[golden]") {
  for (const std::string name : {"v2lite", "v2", "v3", "v3_odd", "heads20", "v192", "longctx"}) {
    const ConvertedModel converted(name);
    const std::vector<Token> tokens = read_tokens(golden + name + "/tokens.txt");
    const Logits expected = read_logits(golden + name + "/logits.npy");
    REQUIRE(tokens.size() == 300);
    REQUIRE(expected.values.size() == tokens.size() * expected.n_vocab);
    for (const AttentionMode mode : modes) {
      for (const int chunk : {0, 1, 7}) {
        INFO(name << ", " << to_string(mode) << ", chunks of " << chunk << " (0: all)");
        Context context = f32_context(converted.model, mode, 320);
        check_logits(run_tokens(context, tokens, chunk), expected);
      }
      INFO(name << ", " << to_string(mode) << ", three sequences in a batch");
      Context context = f32_context(converted.model, mode, 3 * 320);
      for (const Logits& logits : run_interleaved(context, tokens)) check_logits(logits, expected);
    }
  }
}

TEST_CASE("logits of the demo model are those of transformers", "[golden]") {
  const auto model = Model::load(demo_model);
  const std::vector<Token> tokens = read_tokens(golden + "demo/tokens.txt");
  const Logits expected = read_logits(golden + "demo/logits.npy");
  REQUIRE(tokens.size() == 300);
  REQUIRE(expected.values.size() == 30 * expected.n_vocab);
  for (const AttentionMode mode : modes) {
    for (const int chunk : {0, 1, 7}) {
      INFO(to_string(mode) << ", chunks of " << chunk << " (0: all)");
      Context context = f32_context(model, mode, 320);
      check_logits(every_tenth(run_tokens(context, tokens, chunk)), expected);
    }
    INFO(to_string(mode) << ", three sequences in a batch");
    Context context = f32_context(model, mode, 3 * 320);
    for (const Logits& logits : run_interleaved(context, tokens)) check_logits(every_tenth(logits), expected);
  }
}
