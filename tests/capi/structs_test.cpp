// struct_size: shorter structs of older headers, longer ones of newer headers.
#include <cstring>
#include <thread>

#include "capi/demo.hpp"

namespace {

// What a newer header might have: our struct and one more field.
template <typename T>
struct Newer {
  T known;
  std::uint64_t more;
};

mla_cache_shape small_shape() { return {sizeof(mla_cache_shape), 2, 4, 32, 16, 32, 64}; }

mla_status capacity(std::uint64_t& bytes, const void* options) {
  const mla_cache_shape shape = small_shape();
  return mla_kv_cache_bytes_at_capacity(&bytes, &shape, static_cast<const mla_kv_cache_options*>(options));
}

}  // namespace

TEST_CASE("an options pointer of NULL, an empty struct and a shorter struct all mean the defaults") {
  std::uint64_t of_null = 0, of_empty = 0, of_short = 0;
  demo::ok(capacity(of_null, nullptr));
  const mla_kv_cache_options empty = MLA_KV_CACHE_OPTIONS_INIT;
  demo::ok(capacity(of_empty, &empty));
  CHECK(of_null == of_empty);
  CHECK(of_null == std::uint64_t{4096} * 2 * ((64 + 16) * 2 + 2 * 4));  // rows, layers, values of 16 bits, scales

  mla_kv_cache_options older = MLA_KV_CACHE_OPTIONS_INIT;
  older.struct_size = offsetof(mla_kv_cache_options, type_k);  // ends before the types
  older.n_ctx = 64;
  older.type_k = MLA_CACHE_TYPE_F32;  // beyond its end: must not be read
  demo::ok(capacity(of_short, &older));
  CHECK(of_short == std::uint64_t{64} * 2 * ((64 + 16) * 2 + 2 * 4));
}

TEST_CASE("a program that was compiled with an older header loads, computes and samples") {
  const auto garbage = [](auto& tail) { std::memset(&tail, 0x5a, sizeof tail); };  // what lies behind its structs in its memory
  mla_model_options load = MLA_MODEL_OPTIONS_INIT;
  load.struct_size = offsetof(mla_model_options, overrides);
  garbage(load.overrides), garbage(load.n_overrides), garbage(load.repack), garbage(load.n_threads), garbage(load.numa),
      garbage(load.load_type);
  const demo::Model model = demo::load(&load);
  mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
  options.struct_size = offsetof(mla_context_options, n_threads_batch);
  garbage(options.n_threads_batch), garbage(options.pin_threads), garbage(options.deterministic), garbage(options.attention_rates);
  const demo::Context context = demo::make_context(model, &options);
  const auto tokens = demo::some_tokens(model, 4);
  mla_batch batch = demo::batch_of(tokens);
  batch.struct_size = offsetof(mla_batch, keep_embedding);
  garbage(batch.keep_embedding);
  demo::ok(mla_context_decode(context.get(), &batch));
  mla_sampler_options sampling = MLA_SAMPLER_OPTIONS_INIT;
  sampling.struct_size = offsetof(mla_sampler_options, logit_bias);
  garbage(sampling.logit_bias), garbage(sampling.n_logit_bias), garbage(sampling.mask);
  mla_sampler* sampler = nullptr;
  demo::ok(mla_sampler_new(&sampler, &sampling));
  const demo::Sampler owner(sampler);
  mla_token token = -1;
  demo::ok(mla_sampler_sample(&token, sampler, demo::logits(model, context).data(), demo::n_vocab(model)));
  CHECK(token >= 0);
}

TEST_CASE("a longer struct is taken if its tail is zero and refused if it is not") {
  std::uint64_t bytes = 0;
  Newer<mla_kv_cache_options> newer = {MLA_KV_CACHE_OPTIONS_INIT, 0};
  newer.known.struct_size = sizeof newer;
  newer.known.n_ctx = 128;
  demo::ok(capacity(bytes, &newer));
  CHECK(bytes == std::uint64_t{128} * 2 * ((64 + 16) * 2 + 2 * 4));
  newer.more = std::uint64_t{1} << 63;  // its very last byte
  CHECK(capacity(bytes, &newer) == MLA_UNSUPPORTED);
  CHECK(bytes == 0);
  CHECK_THAT(mla_last_error(), Catch::Matchers::Contains("mla_kv_cache_options") && Catch::Matchers::Contains(mla_version()));
}

TEST_CASE("a struct_size that is no size is refused") {
  std::uint64_t bytes = 0;
  mla_kv_cache_options options = MLA_KV_CACHE_OPTIONS_INIT;
  for (const std::size_t size : {std::size_t{0}, std::size_t{4}, sizeof options - 1, sizeof options + 1, std::size_t{1} << 40}) {
    options.struct_size = size;
    CHECK(capacity(bytes, &options) == MLA_INVALID_ARGUMENT);
    CHECK_THAT(mla_last_error(), Catch::Matchers::Contains("struct_size"));
  }
}

TEST_CASE("an output struct is filled up to its size and not beyond") {
  const demo::Model model = demo::load();
  mla_model_info full = MLA_MODEL_INFO_INIT, part;
  demo::ok(mla_model_get_info(&full, model.get()));
  CHECK(std::string(full.architecture) == "deepseek2");
  CHECK(full.n_parameters > 0);
  std::memset(&part, 0x5a, sizeof part);
  part.struct_size = offsetof(mla_model_info, n_parameters);
  demo::ok(mla_model_get_info(&part, model.get()));
  CHECK(part.struct_size == offsetof(mla_model_info, n_parameters));
  CHECK(part.n_experts_used == full.n_experts_used);
  CHECK(part.n_parameters == 0x5a5a5a5a5a5a5a5a);
  part.struct_size = 0;
  CHECK(mla_model_get_info(&part, model.get()) == MLA_INVALID_ARGUMENT);
}

TEST_CASE("an enum field with a number that is none is refused") {
  std::uint64_t bytes = 0;
  mla_kv_cache_options options = MLA_KV_CACHE_OPTIONS_INIT;
  const int wrong = 99;
  std::memcpy(&options.type_k, &wrong, sizeof wrong);
  CHECK(capacity(bytes, &options) == MLA_INVALID_ARGUMENT);
  CHECK_THAT(mla_last_error(), Catch::Matchers::Contains("type_k is 99"));
}

TEST_CASE("each thread has its own message, which a success leaves alone") {
  CHECK(mla_model_load(nullptr, "x", nullptr) == MLA_INVALID_ARGUMENT);
  const std::string mine = mla_last_error();
  std::string before = "?", theirs;
  std::thread([&] {
    before = mla_last_error();
    mla_model* model = nullptr;
    CHECK(mla_model_load(&model, "/nowhere/model.gguf", nullptr) == MLA_NOT_FOUND);
    theirs = mla_last_error();
  }).join();
  CHECK(before.empty());
  CHECK_THAT(theirs, Catch::Matchers::Contains("/nowhere/model.gguf"));
  CHECK(mla_last_error() == mine);
  std::uint64_t bytes = 0;
  demo::ok(capacity(bytes, nullptr));
  CHECK(mla_last_error() == mine);
}
