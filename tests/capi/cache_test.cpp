// The cache through C: shift, defrag, prefixes and saved states.
#include <cstring>

#include "capi/demo.hpp"
#include "scratch_folder.hpp"

namespace {

std::vector<float> next_logits(const demo::Model& model, const demo::Context& context, mla_token token) {
  const std::vector<mla_token> tokens{token};
  const mla_batch batch = demo::batch_of(tokens);
  demo::ok(mla_context_decode(context.get(), &batch));
  return demo::logits(model, context);
}

}  // namespace

TEST_CASE("a saved conversation goes on in another context, from a file and from memory") {
  const ScratchFolder folder;
  const std::string path = folder / "conversation.state";
  const demo::Model model = demo::load();
  const demo::Context first = demo::make_context(model);
  const auto tokens = demo::some_tokens(model, 90);
  const mla_batch batch = demo::batch_of(tokens);
  demo::ok(mla_context_decode(first.get(), &batch));
  mla_kv_cache* cache = mla_context_cache(first.get());
  demo::ok(mla_kv_cache_save(cache, path.c_str(), 0));
  void* state = nullptr;
  size_t n_bytes = 0;
  demo::ok(mla_kv_cache_save_memory(&state, &n_bytes, cache, MLA_ALL_SEQUENCES));
  CHECK(n_bytes == read_bytes(path).size());
  const std::vector<float> expected = next_logits(model, first, 500);

  for (const bool from_file : {true, false}) {
    const demo::Context second = demo::make_context(model);
    mla_kv_cache* other = mla_context_cache(second.get());
    demo::ok(from_file ? mla_kv_cache_load(other, path.c_str(), 0) : mla_kv_cache_load_memory(other, state, n_bytes, MLA_ALL_SEQUENCES));
    CHECK(mla_kv_cache_seq_len(other, 0) == 90);
    CHECK(next_logits(model, second, 500) == expected);
  }
  static_cast<char*>(state)[n_bytes / 2] ^= 1;
  CHECK(mla_kv_cache_load_memory(cache, state, n_bytes, 0) == MLA_BAD_FILE);
  CHECK(std::strstr(mla_last_error(), "checksum") != nullptr);
  mla_free(state);
  CHECK(mla_kv_cache_load(cache, (folder / "none").c_str(), 0) == MLA_NOT_FOUND);
  CHECK(mla_kv_cache_seq_len(cache, 0) == 91);
}

TEST_CASE("prefixes, shift and defrag through C") {
  const demo::Model model = demo::load();
  const demo::Context context = demo::make_context(model);
  const auto tokens = demo::some_tokens(model, 200);
  const mla_batch batch = demo::batch_of(tokens);
  demo::ok(mla_context_decode(context.get(), &batch));
  mla_kv_cache* cache = mla_context_cache(context.get());
  int32_t n_reused = 0;
  auto other = tokens;
  other[150] = 7;
  demo::ok(mla_kv_cache_reuse_prefix(&n_reused, cache, 3, other.data(), other.size()));
  CHECK(n_reused == 150);
  CHECK(mla_kv_cache_seq_len(cache, 3) == 150);
  CHECK(mla_kv_cache_n_pages_used(cache) == 4);

  demo::ok(mla_kv_cache_seq_rm(nullptr, cache, 3, 0, -1));
  demo::ok(mla_kv_cache_seq_rm(nullptr, cache, 0, 32, 96));
  demo::ok(mla_kv_cache_seq_add(cache, 0, 96, -1, -64));
  CHECK(mla_kv_cache_seq_pos_max(cache, 0) == 135);
  CHECK(mla_kv_cache_n_pages_used(cache) == 4);
  demo::ok(mla_kv_cache_defrag(cache));
  CHECK(mla_kv_cache_n_pages_used(cache) == 3);
  CHECK(mla_kv_cache_seq_add(cache, 0, 0, -1, -1) == MLA_INVALID_ARGUMENT);
  (void)next_logits(model, context, 500);

  mla_cache_shape shape = MLA_CACHE_SHAPE_INIT;
  demo::ok(mla_model_cache_shape(&shape, model.get()));
  mla_kv_cache* made = nullptr;
  demo::ok(mla_kv_cache_new(&made, &shape, nullptr));
  const demo::Cache owner(made);
  demo::ok(mla_kv_cache_bind(made, model.get()));
}
