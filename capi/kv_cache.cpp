#include <cstring>

#include <mla/kv_cache.hpp>

#include "guard.hpp"
#include "handles.hpp"
#include "host.hpp"

using namespace mla::capi;

namespace {

mla::CacheShape translate(const mla_cache_shape* given) {
  const mla_cache_shape shape = read_struct(&not_null(given, "shape"), "mla_cache_shape");
  return {shape.n_layers, shape.n_heads, shape.n_nope, shape.n_rope, shape.n_value, shape.n_latent};
}

mla::KvCacheOptions translate(const mla_kv_cache_options* given) {
  const mla_kv_cache_options read = read_struct(given, "mla_kv_cache_options");
  mla::KvCacheOptions options;
  options.layout = static_cast<mla::CacheLayout>(enum_value(read.layout, MLA_CACHE_EXPANDED, "layout"));
  if (read.n_ctx != 0) options.n_ctx = read.n_ctx;
  options.type_k = cache_type(read.type_k, "type_k");
  options.type_v = cache_type(read.type_v, "type_v");
  options.allocator = adapt(read.allocator);
  return options;
}

const mla::KvCache& checked(const mla_kv_cache* cache) { return *not_null(cache, "cache").cache; }
mla::KvCache& checked(mla_kv_cache* cache) { return *not_null(cache, "cache").cache; }

}  // namespace

mla_status mla_kv_cache_new(mla_kv_cache** out, const mla_cache_shape* shape, const mla_kv_cache_options* options) {
  return guarded(__func__, [&] {
    clear_out(out);
    auto cache = std::make_shared<mla::KvCache>(translate(shape), translate(options));
    *out = new mla_kv_cache{std::move(cache)};
  });
}

void mla_kv_cache_free(mla_kv_cache* cache) { delete cache; }

mla_status mla_kv_cache_bytes_at_capacity(uint64_t* out, const mla_cache_shape* shape, const mla_kv_cache_options* options) {
  return guarded(__func__, [&] {
    clear_out(out);
    *out = mla::KvCache::bytes_at_capacity(translate(shape), translate(options));
  });
}

uint64_t mla_kv_cache_bytes(const mla_kv_cache* cache) {
  return property<uint64_t>(__func__, 0, [&] { return checked(cache).bytes(); });
}

uint64_t mla_kv_cache_row_bytes(const mla_kv_cache* cache) {
  return property<uint64_t>(__func__, 0, [&] { return checked(cache).row_bytes(); });
}

int32_t mla_kv_cache_n_pages(const mla_kv_cache* cache) {
  return property<int32_t>(__func__, -1, [&] { return checked(cache).n_pages(); });
}

int32_t mla_kv_cache_n_pages_used(const mla_kv_cache* cache) {
  return property<int32_t>(__func__, -1, [&] { return checked(cache).n_pages_used(); });
}

mla_status mla_kv_cache_seq_rm(int32_t* removed, mla_kv_cache* cache, mla_sequence_id seq, mla_position p0, mla_position p1) {
  return guarded(__func__, [&] {
    if (removed != nullptr) *removed = 0;
    const bool had_any = checked(cache).seq_rm(seq, p0, p1);
    if (removed != nullptr) *removed = had_any ? 1 : 0;
  });
}

mla_status mla_kv_cache_seq_cp(mla_kv_cache* cache, mla_sequence_id from, mla_sequence_id to, mla_position p0,
                               mla_position p1) {
  return guarded(__func__, [&] { checked(cache).seq_cp(from, to, p0, p1); });
}

mla_status mla_kv_cache_seq_keep(mla_kv_cache* cache, mla_sequence_id seq) {
  return guarded(__func__, [&] { checked(cache).seq_keep(seq); });
}

mla_status mla_kv_cache_clear(mla_kv_cache* cache) {
  return guarded(__func__, [&] { checked(cache).clear(); });
}

mla_status mla_kv_cache_bind(mla_kv_cache* cache, const mla_model* model) {
  return guarded(__func__, [&] { checked(cache).bind(not_null(model, "model").model->cache_model()); });
}

mla_status mla_kv_cache_seq_add(mla_kv_cache* cache, mla_sequence_id seq, mla_position p0, mla_position p1, int32_t delta) {
  return guarded(__func__, [&] { checked(cache).seq_add(seq, p0, p1, delta); });
}

mla_status mla_kv_cache_defrag(mla_kv_cache* cache) {
  return guarded(__func__, [&] { checked(cache).defrag(); });
}

mla_status mla_kv_cache_reuse_prefix(int32_t* n_reused, mla_kv_cache* cache, mla_sequence_id to, const mla_token* tokens, size_t n_tokens) {
  return guarded(__func__, [&] {
    clear_out(n_reused);
    *n_reused = checked(cache).reuse_prefix(to, array(tokens, n_tokens, "tokens"));
  });
}

mla_status mla_kv_cache_save(const mla_kv_cache* cache, const char* path, mla_sequence_id seq) {
  return guarded(__func__, [&] { checked(cache).save(&not_null(path, "path"), seq); });
}

mla_status mla_kv_cache_save_memory(void** out, size_t* n_bytes, const mla_kv_cache* cache, mla_sequence_id seq) {
  return guarded(__func__, [&] {
    clear_out(out);
    clear_out(n_bytes);
    const std::vector<std::byte> state = checked(cache).save(seq);
    *out = new_memory(state.size());
    std::memcpy(*out, state.data(), state.size());
    *n_bytes = state.size();
  });
}

mla_status mla_kv_cache_load(mla_kv_cache* cache, const char* path, mla_sequence_id seq) {
  return guarded(__func__, [&] { checked(cache).load(std::string(&not_null(path, "path")), seq); });
}

mla_status mla_kv_cache_load_memory(mla_kv_cache* cache, const void* state, size_t n_bytes, mla_sequence_id seq) {
  return guarded(__func__, [&] { checked(cache).load(array(static_cast<const std::byte*>(state), n_bytes, "state"), seq); });
}

int32_t mla_kv_cache_seq_len(const mla_kv_cache* cache, mla_sequence_id seq) {
  return property<int32_t>(__func__, -1, [&] { return checked(cache).seq_len(seq); });
}

mla_position mla_kv_cache_seq_pos_min(const mla_kv_cache* cache, mla_sequence_id seq) {
  return property<mla_position>(__func__, -1, [&] { return checked(cache).seq_pos_min(seq); });
}

mla_position mla_kv_cache_seq_pos_max(const mla_kv_cache* cache, mla_sequence_id seq) {
  return property<mla_position>(__func__, -1, [&] { return checked(cache).seq_pos_max(seq); });
}
