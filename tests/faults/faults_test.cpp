// Whatever request fails, in load, decode or save: a status, nothing lost, nothing half-made.
#include "faults.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <mla/mla.h>
#include <mla/mla.hpp>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.hpp"
#include "scratch_folder.hpp"
#include "sweep.hpp"

using namespace mla;

namespace {

const std::string golden = MLA_SOURCE_DIR "/tests/golden/logits/v3";
const std::string demo = MLA_SOURCE_DIR "/examples/models/demo-f16.gguf";
const std::string text = "In the beginning God created the heaven and the earth.";

// Runs `work` with the n-th request failing; true if it ended with out of memory. Other errors end the test.
bool runs_out(long n, const std::function<void()>& work) {
  faults::arm(n);
  try {
    work();
    faults::disarm();
    return false;
  } catch (const std::bad_alloc&) {
    faults::disarm();
    return true;
  } catch (const Error& error) {
    faults::disarm();
    if (error.status() != Status::out_of_memory) FAIL("request " << n << ": " << to_string(error.status()) << ": " << error.what());
    return true;
  }
}

void nothing_left(bool) {}
long each(long) { return 1; }
long coarser(long n) { return sweep::full ? 1 : 1 + n / 64; }

// Fails the first, second, … request of `work` until it gets by without. It may survive a failure, where the memory was only
// convenient, but keeps nothing either way. `work` throws std::logic_error for a result that isn't whole; `check` looks for what is left.
void fail_each(const std::function<void()>& work, const std::function<void(bool failed)>& check = nothing_left,
               long (*step)(long n) = each) {
  work();  // what is made once per process is made now
  for (long n = 1;; n += step(n)) {
    const long before = faults::held();
    const bool failed = runs_out(n, work);
    if (faults::held() != before)
      FAIL("request " << n << ": " << faults::held() - before << " blocks, mappings or threads are left behind");
    if (faults::requests() < n) {
      REQUIRE_FALSE(failed);
      REQUIRE(n > 1);
      return;
    }
    check(failed);
  }
}

void expect(bool whole, const char* what) {
  if (!whole) throw std::logic_error(what);
}

std::shared_ptr<const Model> small_model() {
  const ScratchFolder folder;
  convert_huggingface(golden, folder / "model.gguf", {.type = "f32"});
  return Model::load(folder / "model.gguf");  // mapped: the file may go
}

ContextOptions small_context(AttentionMode mode, int n_threads) {
  ContextOptions options;
  options.attention = mode;
  options.n_ctx = 256;
  options.n_ubatch = 16;
  options.n_threads = n_threads;
  return options;
}

Batch batch_of(int n, int first_position) {
  std::vector<Token> tokens;
  for (int i = 0; i < n; ++i) tokens.push_back((7 * i + first_position) % 90);
  return Batch::of(tokens, first_position);
}

// The C interface throws nothing: its statuses become what fail_each() understands.
void expect_ok(mla_status status) {
  if (status == MLA_OUT_OF_MEMORY && *mla_last_error() != '\0') throw std::bad_alloc();
  expect(status == MLA_OK, mla_last_error());
}

}  // namespace

TEST_CASE("load: a model without a vocabulary, mapped and read") {
  const ScratchFolder folder;
  const std::string path = folder / "model.gguf";
  convert_huggingface(golden, path, {.type = "f32"});
  const long mappings = faults::happened(faults::Kind::mapping);
  for (const bool use_mmap : {true, false}) {
    ModelOptions options;
    options.use_mmap = use_mmap;
    const ModelInfo whole = Model::load(path, options)->info();
    fail_each([&] {
      const auto model = Model::load(path, options);
      expect(model->info().n_parameters == whole.n_parameters && model->info().derived_bytes == whole.derived_bytes, "a part of the model");
    });
  }
  CHECK(faults::happened(faults::Kind::mapping) == mappings + 1);
}

TEST_CASE("load: weights that are repacked, with threads of the load's own") {
  const ScratchFolder folder;
  const std::string path = folder / "model.gguf", native = folder / "native.gguf";
  convert_huggingface(golden, path, {.type = "q8_0"});
  quantize_file(path, native, {.layout = FileLayout::native, .n_threads = 1});
  const std::string whole_native = read_bytes(native);
  for (const bool use_mmap : {true, false}) {
    ModelOptions options;
    options.use_mmap = use_mmap;
    options.repack = RepackMode::always;
    options.n_threads = 3;
    const ModelInfo whole = Model::load(path, options)->info();
    fail_each([&] {
      const auto model = Model::load(path, options);
      expect(model->info().panel_bytes == whole.panel_bytes && model->info().repacked_bytes == whole.repacked_bytes, "a part of the model");
    });
  }
  fail_each(
      [&] {
        std::remove(native.c_str());
        quantize_file(path, native, {.layout = FileLayout::native, .n_threads = 2});
      },
      [&](bool failed) {
        if (failed) REQUIRE_FALSE(std::ifstream(native).good());
        else REQUIRE(read_bytes(native) == whole_native);
      });
}

TEST_CASE("load: a model with a vocabulary, and text to tokens and back") {
  const auto whole = Model::load(demo);
  const std::vector<Token> tokens = whole->tokenizer().encode(text);
  fail_each([&] {
    const auto model = Model::load(demo);
    expect(model->chat_template() == whole->chat_template(), "another chat template");
    expect(model->tokenizer().encode(text) == tokens, "other tokens");
    expect(model->tokenizer().decode(tokens) == text, "another text");
  });
}

TEST_CASE("load: tokenizer.json") {
  const std::string folder = MLA_SOURCE_DIR "/tests/golden/tokenizer/llm";
  const TokenizerData whole = read_hf_tokenizer(folder);
  const auto work = [&] {
    const TokenizerData data = read_hf_tokenizer(folder);
    expect(data.tokens == whole.tokens && data.merges == whole.merges && data.pre == whole.pre, "a part of the vocabulary");
  };
  fail_each(work, nothing_left, coarser);  // every token and every merge is several requests
}

TEST_CASE("context and decode: the cache is as it was, and the next try gives the right logits") {
  const auto model = small_model();
  const long threads = faults::happened(faults::Kind::thread);
  int n_modes = 0;
  for (const AttentionMode mode : {AttentionMode::automatic, AttentionMode::deepseek2, AttentionMode::deepseek_mla}) {
    fail_each([&] { Context context(model, small_context(mode, 3)); });
    CHECK(faults::happened(faults::Kind::thread) == threads + 2 * ++n_modes);  // two beside the caller

    const ContextOptions options = small_context(mode, 2);
    const Batch prompt = batch_of(20, 0), more = batch_of(40, 20);
    Context reference(model, options);
    reference.decode(prompt);
    reference.decode(more);
    const std::vector<float> expected(reference.logits().begin(), reference.logits().end());

    for (long n = 1;; ++n) {
      Context context(model, options);
      KvCache& cache = context.cache();
      context.decode(prompt);
      cache.seq_cp(0, 1);
      const auto bytes = cache.bytes();
      const bool failed = runs_out(n, [&] { context.decode(more); });
      if (faults::requests() < n) {
        REQUIRE(n > 2);  // a copy of the shared page, at least; buffers of the context are there from the first decode
        break;
      }
      INFO(to_string(mode) << ", request " << n);
      if (failed) {
        REQUIRE(cache.bytes() == bytes);
        REQUIRE(cache.seq_len(0) == 20);
        REQUIRE_THROWS_AS(context.logits(), Error);
        context.decode(more);
      }
      REQUIRE(cache.seq_len(0) == 60);
      REQUIRE(cache.seq_len(1) == 20);
      REQUIRE(std::equal(expected.begin(), expected.end(), context.logits().begin(), context.logits().end()));
    }
  }
}

TEST_CASE("sequences: copying and cutting changes all or nothing") {
  Context context(small_model(), small_context(AttentionMode::automatic, 1));
  context.decode(batch_of(100, 0));
  KvCache& cache = context.cache();
  fail_each(
      [&] {
        cache.seq_cp(0, 1);
        expect(cache.seq_len(1) == 100, "a part of the sequence");
        cache.seq_rm(1, 0, 10);
        expect(cache.seq_len(1) == 90, "not all removed");
        cache.seq_rm(1, 0, -1);
      },
      [&](bool failed) {
        REQUIRE(cache.seq_len(0) == 100);
        if (failed) REQUIRE((cache.seq_len(1) == 0 || cache.seq_len(1) == 100));
        cache.seq_rm(1, 0, -1);
      });
}

TEST_CASE("sequences: shift, defrag, save and load change all or nothing") {
  const auto model = small_model();
  Context context(model, small_context(AttentionMode::automatic, 1));
  context.decode(batch_of(150, 0));
  const std::vector<std::byte> state = context.cache().save();
  fail_each([&] {
    KvCache cache(model->cache_shape(), {.n_ctx = 1024});
    cache.bind(model->cache_model());
    // A step that fails leaves what was there.
    const auto step = [&](const std::function<void()>& run) {
      const int pages = cache.n_pages_used(), rows[] = {cache.seq_len(0), cache.seq_len(1)}, last = cache.seq_pos_max(1);
      try {
        run();
      } catch (...) {
        expect(cache.n_pages_used() == pages && cache.seq_len(0) == rows[0] && cache.seq_len(1) == rows[1] && cache.seq_pos_max(1) == last,
               "a half-done step");
        throw;
      }
    };
    step([&] { cache.load(state); });
    step([&] { cache.seq_cp(0, 1); });
    step([&] { cache.seq_add(1, 70, -1, 1000); });
    expect(cache.seq_pos_max(0) == 149 && cache.seq_pos_max(1) == 1149, "a shift that isn't");
    cache.seq_rm(1, 10, 1100);
    step([&] { cache.defrag(); });
    step([&] { cache.load(cache.save(1), 0); });
    expect(cache.seq_len(0) == 60, "a part of the sequence");
  });
}

TEST_CASE("save: a conversion that fails leaves no file of that name, and what it leaves the next one goes on from") {
  const ScratchFolder folder;
  const std::string path = folder / "out.gguf";
  convert_huggingface(golden, path, {.type = "q8_0"});
  const std::string whole = read_bytes(path);
  fail_each(
      [&] {
        std::remove(path.c_str());  // takes no memory
        convert_huggingface(golden, path, {.type = "q8_0"});
      },
      [&](bool failed) {
        if (failed) REQUIRE_FALSE(std::ifstream(path).is_open());
        else REQUIRE(read_bytes(path) == whole);
      });
}

TEST_CASE("folders: in place, and converted as they are loaded") {
  for (const char* type : {"", "q8_0"}) fail_each([&] { (void)Model::load(golden, {.load_type = type}); });
}

TEST_CASE("the C interface: a status and a message, and out-parameters that hold nothing") {
  const ScratchFolder folder;
  const std::string path = folder / "model.gguf";
  convert_huggingface(golden, path, {.type = "f32"});
  const std::vector<mla_token> tokens{10, 20, 30};
  fail_each([&] {
    mla_model* model = nullptr;
    const mla_status loaded = mla_model_load(&model, path.c_str(), nullptr);
    const std::unique_ptr<mla_model, void (*)(mla_model*)> model_owner(model, mla_model_free);
    expect((loaded == MLA_OK) == (model != nullptr), "a model beside an error");
    expect_ok(loaded);

    mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
    options.n_ctx = 64;
    options.n_ubatch = 16;
    options.n_threads = 2;
    mla_context* context = nullptr;
    const mla_status made = mla_context_new(&context, model, &options);
    const std::unique_ptr<mla_context, void (*)(mla_context*)> context_owner(context, mla_context_free);
    expect((made == MLA_OK) == (context != nullptr), "a context beside an error");
    expect_ok(made);

    mla_batch batch = MLA_BATCH_INIT;
    batch.n = static_cast<int32_t>(tokens.size());
    batch.tokens = tokens.data();
    const mla_status decoded = mla_context_decode(context, &batch);
    expect(mla_kv_cache_seq_len(mla_context_cache(context), 0) == (decoded == MLA_OK ? batch.n : 0), "half a batch in the cache");
    expect_ok(decoded);
    const float* logits = nullptr;
    expect_ok(mla_context_logits(&logits, context));
  });
}
