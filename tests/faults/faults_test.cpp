// Whatever request fails, in load, decode or save: a status, nothing lost, nothing half-made.
#include "faults.hpp"

#include <filesystem>
#include <functional>
#include <mla/mla.hpp>
#include <new>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace mla;

namespace {

const std::string golden = MLA_SOURCE_DIR "/tests/golden/logits/v3";
const std::string demo = MLA_SOURCE_DIR "/examples/models/demo-f16.gguf";
constexpr long no_end = 1'000'000;

// Runs `work` with the first, second, … request failing until it gets by without; `check` after each failure.
// `step` widens the stride where there are very many requests.
void fail_each(const std::function<void()>& work, const std::function<void()>& check, const std::function<long(long)>& step) {
  long failures = 0;
  for (long n = 1; n < no_end; n += step(n)) {
    const long before = faults::held();
    bool failed = false;
    std::string error;
    faults::arm(n);
    try {
      work();
    } catch (const std::bad_alloc&) {
      failed = true;
    } catch (const Error& caught) {
      failed = true;
      faults::disarm();
      error = caught.what();
      if (caught.status() != Status::out_of_memory) FAIL("request " << n << ": status " << to_string(caught.status()) << ": " << error);
    }
    const bool happened = faults::requests() >= n;
    faults::disarm();
    if (!happened) {
      REQUIRE_FALSE(failed);
      REQUIRE(failures > 10);
      return;
    }
    ++failures;  // a failure may be survived where the memory was only convenient, so `failed` isn't demanded
    error.clear();
    error.shrink_to_fit();
    if (faults::held() != before) FAIL("request " << n << ": " << faults::held() - before << " blocks, mappings or threads are left behind");
    check();
  }
  FAIL("the work never got by");
}

long each(long) { return 1; }
long coarser(long n) { return 1 + n / 40; }

struct ConvertedModel {
  std::string path = (std::filesystem::temp_directory_path() / "mla_faults_model.gguf").string();
  ConvertedModel() { convert_huggingface(golden, path, {.type = "f32"}); }
  ~ConvertedModel() { std::filesystem::remove(path); }
};

ModelOptions counted(bool use_mmap) {
  ModelOptions options;
  options.use_mmap = use_mmap;
  options.allocator = faults::allocator();
  return options;
}

ContextOptions small_context(AttentionMode mode) {
  ContextOptions options;
  options.attention = mode;
  options.n_ctx = 256;
  options.n_ubatch = 16;
  options.n_threads = 2;
  options.allocator = faults::allocator();
  return options;
}

}  // namespace

TEST_CASE("load: every request, mapped and read, without a vocabulary") {
  const ConvertedModel file;
  for (const bool use_mmap : {true, false}) {
    const ModelOptions options = counted(use_mmap);
    (void)Model::load(file.path, options);  // what is made once per process is made now
    fail_each([&] { (void)Model::load(file.path, options); }, [] {}, each);
  }
}

TEST_CASE("load: a model with vocabulary and chat template") {
  const ModelOptions options = counted(true);
  (void)Model::load(demo, options);
  fail_each([&] { (void)Model::load(demo, options); }, [] {}, coarser);
}

TEST_CASE("context and decode: the cache is as it was, and the next try gives the right logits") {
  const auto model = Model::load(demo, counted(true));
  std::vector<Token> prompt(20), more(40);
  for (int i = 0; i < 20; ++i) prompt[static_cast<std::size_t>(i)] = 100 + 7 * i;
  for (int i = 0; i < 40; ++i) more[static_cast<std::size_t>(i)] = 50 + 11 * i;
  for (const AttentionMode mode : {AttentionMode::automatic, AttentionMode::deepseek2, AttentionMode::deepseek_mla}) {
    const ContextOptions options = small_context(mode);
    { Context warm(model, options); }
    fail_each([&] { Context context(model, options); }, [] {}, each);

    std::vector<float> expected;
    {
      Context context(model, options);
      context.decode(Batch::of(prompt));
      context.decode(Batch::of(more, 20));
      expected.assign(context.logits().begin(), context.logits().end());
    }
    for (long n = 1; n < no_end; ++n) {
      Context context(model, options);
      context.decode(Batch::of(prompt));
      context.cache().seq_cp(0, 1);
      const Batch batch = Batch::of(more, 20);
      const auto bytes = context.cache().bytes();
      faults::arm(n);
      try {
        context.decode(batch);
      } catch (const std::bad_alloc&) {
      } catch (const Error& error) {
        faults::disarm();
        REQUIRE(error.status() == Status::out_of_memory);
      }
      const bool happened = faults::requests() >= n;
      faults::disarm();
      if (!happened) {
        REQUIRE(n > 5);
        break;
      }
      REQUIRE(context.cache().bytes() == bytes);
      REQUIRE(context.cache().seq_pos_max(0) == 19);
      context.decode(batch);
      REQUIRE(std::equal(expected.begin(), expected.end(), context.logits().begin()));
    }
  }
}

TEST_CASE("save: a conversion that fails leaves no file") {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "mla_faults_save";
  std::filesystem::create_directory(folder);
  const std::string path = (folder / "out.gguf").string();
  convert_huggingface(golden, path, {.type = "q8_0"});
  std::filesystem::remove(path);
  fail_each([&] { convert_huggingface(golden, path, {.type = "q8_0"}); },
            [&] { if (!std::filesystem::exists(path)) REQUIRE(std::filesystem::is_empty(folder)); }, coarser);
  std::filesystem::remove_all(folder);
}
