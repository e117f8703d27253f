#include <cstring>

#include <mla/kv_cache.hpp>
#include <mla/mla_experimental.h>

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

// Runs body(cache) in a turn of its own.
template <typename Body>
mla_status in_turn(const char* function, const mla_kv_cache* cache, Body&& body) {
  return guarded(function, [&] {
    const mla_kv_cache& handle = not_null(cache, "cache");
    const Turn turn(*handle.busy, "the cache");
    body(*handle.cache);
  });
}

mla_cache_type c_type(mla::CacheType type) { return static_cast<mla_cache_type>(static_cast<int>(type) + MLA_CACHE_TYPE_F32); }

}  // namespace

mla_status mla_kv_cache_new(mla_kv_cache** out, const mla_cache_shape* shape, const mla_kv_cache_options* options) {
  return guarded(__func__, [&] {
    clear_out(out);
    auto handle = std::make_unique<mla_kv_cache>();
    handle->cache = std::make_shared<mla::KvCache>(translate(shape), translate(options));
    *out = handle.release();
  });
}

void mla_kv_cache_free(mla_kv_cache* cache) {
  if (cache == nullptr) return;
  (void)guarded(__func__, [&] {
    if (cache->borrowed) throw Misuse{"the cache is borrowed from a context, which frees it"};
    delete cache;
  });
}

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
  if (removed != nullptr) *removed = 0;
  return in_turn(__func__, cache, [&](mla::KvCache& target) {
    const bool had_any = target.seq_rm(seq, p0, p1);
    if (removed != nullptr) *removed = had_any ? 1 : 0;
  });
}

mla_status mla_kv_cache_seq_cp(mla_kv_cache* cache, mla_sequence_id from, mla_sequence_id to, mla_position p0,
                               mla_position p1) {
  return in_turn(__func__, cache, [&](mla::KvCache& target) { target.seq_cp(from, to, p0, p1); });
}

mla_status mla_kv_cache_seq_keep(mla_kv_cache* cache, mla_sequence_id seq) {
  return in_turn(__func__, cache, [&](mla::KvCache& target) { target.seq_keep(seq); });
}

mla_status mla_kv_cache_clear(mla_kv_cache* cache) {
  return in_turn(__func__, cache, [](mla::KvCache& target) { target.clear(); });
}

mla_status mla_kv_cache_bind(mla_kv_cache* cache, const mla_model* model) {
  return in_turn(__func__, cache, [&](mla::KvCache& target) { target.bind(not_null(model, "model").model->cache_model()); });
}

mla_status mla_kv_cache_seq_add(mla_kv_cache* cache, mla_sequence_id seq, mla_position p0, mla_position p1, int32_t delta) {
  return in_turn(__func__, cache, [&](mla::KvCache& target) { target.seq_add(seq, p0, p1, delta); });
}

mla_status mla_kv_cache_defrag(mla_kv_cache* cache) {
  return in_turn(__func__, cache, [](mla::KvCache& target) { target.defrag(); });
}

mla_status mla_kv_cache_reuse_prefix(int32_t* n_reused, mla_kv_cache* cache, mla_sequence_id to, const mla_token* tokens, size_t n_tokens) {
  return guarded(__func__, [&] {
    clear_out(n_reused);
    const mla_kv_cache& handle = not_null(cache, "cache");
    const Turn turn(*handle.busy, "the cache");
    *n_reused = handle.cache->reuse_prefix(to, array(tokens, n_tokens, "tokens"));
  });
}

mla_status mla_kv_cache_save(const mla_kv_cache* cache, const char* path, mla_sequence_id seq) {
  return in_turn(__func__, cache, [&](const mla::KvCache& source) { source.save(&not_null(path, "path"), seq); });
}

mla_status mla_kv_cache_save_memory(void** out, size_t* n_bytes, const mla_kv_cache* cache, mla_sequence_id seq) {
  return guarded(__func__, [&] {
    clear_out(out);
    clear_out(n_bytes);
    const mla_kv_cache& handle = not_null(cache, "cache");
    const Turn turn(*handle.busy, "the cache");
    const std::vector<std::byte> state = handle.cache->save(seq);
    *out = new_memory(state.size());
    std::memcpy(*out, state.data(), state.size());
    *n_bytes = state.size();
  });
}

mla_status mla_kv_cache_load(mla_kv_cache* cache, const char* path, mla_sequence_id seq) {
  return in_turn(__func__, cache, [&](mla::KvCache& target) { target.load(std::string(&not_null(path, "path")), seq); });
}

mla_status mla_kv_cache_load_memory(mla_kv_cache* cache, const void* state, size_t n_bytes, mla_sequence_id seq) {
  return in_turn(__func__, cache,
                 [&](mla::KvCache& target) { target.load(array(static_cast<const std::byte*>(state), n_bytes, "state"), seq); });
}

mla_status mla_kv_cache_fill_random(mla_kv_cache* cache, mla_sequence_id seq, int32_t n, uint64_t seed) {
  return in_turn(__func__, cache, [&](mla::KvCache& target) { target.fill_random(seq, n, seed); });
}

mla_status mla_kv_cache_shape(mla_cache_shape* shape, const mla_kv_cache* cache) {
  return guarded(__func__, [&] { write_shape(shape, checked(cache).shape()); });
}

mla_status mla_kv_cache_get_options(mla_kv_cache_options* options, const mla_kv_cache* cache) {
  return guarded(__func__, [&] {
    const mla::KvCacheOptions& made = checked(cache).options();
    const mla_kv_cache_options filled = {sizeof(mla_kv_cache_options), static_cast<mla_cache_layout>(made.layout), made.n_ctx, c_type(made.type_k), c_type(made.type_v), nullptr};
    write_struct(options, filled, "options");
  });
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
