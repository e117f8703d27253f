// Logits against Hugging Face transformers (tests/golden/logits): every mode, however the tokens are cut into batches.
#include <mla/convert.hpp>

#include "npy.hpp"
#include "run_model.hpp"
#include "scratch_folder.hpp"

using namespace mla;

namespace {

constexpr double bound = 2e-4;  // of the largest |logit|

const std::string golden = MLA_SOURCE_DIR "/tests/golden/logits/";

std::shared_ptr<const Model> converted(const std::string& name) {
  const ScratchFolder folder;
  convert_huggingface(golden + name, folder / "model.gguf", {.type = "f32"});
  return Model::load(folder / "model.gguf");  // mapped: the file may go
}

Context f32_context(const std::shared_ptr<const Model>& model, AttentionMode mode, int n_ctx) {
  ContextOptions options;
  options.attention = mode;
  options.n_ctx = n_ctx;
  options.cache_type_k = options.cache_type_v = CacheType::f32;
  options.n_threads = 2;
  return Context(model, options);
}

// Three sequences in each batch, four rows of one, then of the next; returns the logits of the second and the third. The first has
// the tokens backwards, and the third begins later than the second: no two hold the same rows at a time, should one read another's.
std::vector<Logits> run_interleaved(Context& context, const std::vector<Token>& tokens) {
  const std::vector<Token> backwards(tokens.rbegin(), tokens.rend());
  std::vector<Logits> all(3);
  const int n = static_cast<int>(tokens.size()), run = 4, n_batch = 5 * run, later = 37;
  for (int begin = 0; begin < n + later; begin += n_batch) {
    Batch batch;
    for (int first = begin; first < begin + n_batch; first += run)
      for (SequenceId seq = 0; seq < 3; ++seq) {
        const int from = seq < 2 ? first : first - later;
        for (int i = std::max(from, 0); i < std::min(from + run, n); ++i)
          batch.add((seq == 0 ? backwards : tokens)[static_cast<std::size_t>(i)], i, seq, true);
      }
    context.decode(batch);
    for (int i = 0; i < batch.size(); ++i)
      all[static_cast<std::size_t>(batch.sequences[static_cast<std::size_t>(i)])].append(context.logits(i));
  }
  all.erase(all.begin());
  return all;
}

void check_logits(const Logits& got, const Logits& expected) {
  CHECK(relative_difference(got, expected) < bound);
  CHECK(argmax_disagreements(got, expected, bound) == 0);
}

Logits every_tenth(const Logits& all) {
  Logits some;
  for (std::size_t row = 9; row < all.values.size() / all.n_vocab; row += 10)
    some.append(std::span(all.values).subspan(row * all.n_vocab, all.n_vocab));
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
  for (const std::string name : {"v2lite", "v2", "v3", "v3_odd", "heads20", "v192", "longctx", "fp8", "glm47"}) {
    const auto model = converted(name);
    const std::vector<Token> tokens = read_tokens(golden + name + "/tokens.txt");
    const Logits expected = read_logits(golden + name + "/logits.npy");
    REQUIRE(tokens.size() == 300);
    REQUIRE(expected.values.size() == tokens.size() * expected.n_vocab);
    for (const AttentionMode mode : modes) {
      for (const int chunk : {0, 1, 7}) {
        INFO(name << ", " << to_string(mode) << ", chunks of " << chunk << " (0: all)");
        Context context = f32_context(model, mode, 320);
        check_logits(run_tokens(context, tokens, chunk), expected);
      }
      INFO(name << ", " << to_string(mode) << ", three sequences in a batch");
      Context context = f32_context(model, mode, 3 * 320);
      for (const Logits& logits : run_interleaved(context, tokens)) check_logits(logits, expected);
    }
  }
}

TEST_CASE("folders run as they are, in every mode", "[golden]") {
  for (const std::string name : {"v2lite", "v3", "heads20", "fp8", "glm47"}) {
    const auto model = Model::load(golden + name);
    const std::vector<Token> tokens = read_tokens(golden + name + "/tokens.txt");
    const Logits expected = read_logits(golden + name + "/logits.npy");
    for (const AttentionMode mode : modes)
      for (const int chunk : {0, 1}) {
        INFO(name << ", " << to_string(mode) << ", chunks of " << chunk << " (0: all)");
        Context context = f32_context(model, mode, 320);
        check_logits(run_tokens(context, tokens, chunk), expected);
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
