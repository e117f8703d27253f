#include <mla/context.hpp>

#include <map>

#include <mla/inspect.hpp>

#include "guard.hpp"
#include "handles.hpp"
#include "host.hpp"

using namespace mla::capi;

namespace {

mla::AttentionRates translate(const mla_attention_rates& r) {
  return {r.expanded_start, r.expanded_pair, r.expanded_key, r.absorbed_start, r.absorbed_pair, r.absorbed_query};
}

mla::ContextOptions translate(const mla_context_options& given) {
  mla::ContextOptions options;
  options.attention = static_cast<mla::AttentionMode>(enum_value(given.attention, MLA_ATTENTION_DEEPSEEK_MLA, "attention"));
  if (given.n_ctx != 0) options.n_ctx = given.n_ctx;
  if (given.n_ubatch != 0) options.n_ubatch = given.n_ubatch;
  options.cache_type_k = cache_type(given.cache_type_k, "cache_type_k");
  options.cache_type_v = cache_type(given.cache_type_v, "cache_type_v");
  options.n_threads = given.n_threads;
  options.n_threads_batch = given.n_threads_batch;
  options.pin_threads = given.pin_threads != 0;
  options.deterministic = given.deterministic != 0;
  if (given.attention_rates != nullptr) options.attention_rates = translate(read_struct(given.attention_rates, "mla_attention_rates"));
  if (given.cache != nullptr) options.cache = given.cache->cache;
  options.thread_pool = adapt(given.thread_pool);
  options.allocator = adapt(given.allocator);
  options.abort = adapt(given.abort, given.abort_user_data);
  return options;
}

mla_position position_behind(mla_position last, mla_sequence_id sequence) {
  if (last == std::numeric_limits<mla_position>::max()) throw Misuse{"sequence " + std::to_string(sequence) + " has no position left"};
  return last + 1;
}

mla_position next_position(const mla::KvCache& cache, mla_sequence_id sequence, std::map<mla_sequence_id, mla_position>& last) {
  const auto known = last.find(sequence);
  return last[sequence] = position_behind(known != last.end() ? known->second : cache.seq_pos_max(sequence), sequence);
}

void fill(mla::Batch& batch, const mla_batch& given, const mla::Context& context, const mla::KvCache& cache) {
  if (given.n < 1) throw Misuse{"batch->n is " + std::to_string(given.n) + ": a batch has at least one row"};
  const auto n = static_cast<std::size_t>(given.n);
  if ((given.tokens == nullptr) == (given.embeddings == nullptr)) throw Misuse{"set either batch->tokens or batch->embeddings"};
  batch.clear();
  if (given.tokens != nullptr)
    batch.tokens.assign(given.tokens, given.tokens + n);
  else
    batch.embeddings.assign(given.embeddings, given.embeddings + n * static_cast<std::size_t>(context.model()->info().n_embd));
  if (given.sequences != nullptr)
    batch.sequences.assign(given.sequences, given.sequences + n);
  else
    batch.sequences.assign(n, 0);
  if (given.logits != nullptr) {
    batch.logits.assign(given.logits, given.logits + n);
  } else {
    batch.logits.assign(n, 0);
    batch.logits.back() = 1;
  }
  if (given.keep_embedding != nullptr) batch.keep_embedding.assign(given.keep_embedding, given.keep_embedding + n);
  if (given.positions != nullptr) {
    batch.positions.assign(given.positions, given.positions + n);
  } else {
    std::map<mla_sequence_id, mla_position> last;
    for (const mla_sequence_id sequence : batch.sequences) batch.positions.push_back(next_position(cache, sequence, last));
  }
}

void compute(mla_context& handle, mla_token token, mla_sequence_id sequence) {
  const Turn turn(handle.busy, "the context"), turn_of_cache(*handle.cache.busy, "the context's cache");
  handle.batch.clear();
  handle.batch.add(token, position_behind(handle.cache.cache->seq_pos_max(sequence), sequence), sequence, true);
  handle.context->decode(handle.batch);
}

const mla::Context& at_rest(const mla_context* context) {
  const mla_context& handle = not_null(context, "context");
  Turn::check(handle.busy, "the context");
  return *handle.context;
}

}  // namespace

mla_status mla_context_new(mla_context** out, const mla_model* model, const mla_context_options* options) {
  return guarded(__func__, [&] {
    clear_out(out);
    const mla_context_options given = read_struct(options, "mla_context_options");
    auto handle = std::make_unique<mla_context>();
    if (given.cache != nullptr) handle->cache = *given.cache;
    handle->cache.borrowed = true;
    const Turn turn(*handle->cache.busy, "the cache");
    handle->context = std::make_shared<mla::Context>(not_null(model, "model").model, translate(given));
    if (model->tokenizer) handle->tokenizer = model->tokenizer->tokenizer;
    if (given.cache == nullptr)  // its own, which lives as long as the context, also when another context borrows it
      handle->cache.cache = std::shared_ptr<mla::KvCache>(handle->context, &handle->context->cache());
    *out = handle.release();
  });
}

void mla_context_free(mla_context* context) { free_unless_busy(__func__, context, "the context"); }

mla_status mla_context_memory_need(mla_memory_need* need, const char* path, const mla_context_options* options) {
  return guarded(__func__, [&] {
    not_null(need, "need");
    const mla::MemoryNeed found = mla::memory_need(&not_null(path, "path"), translate(read_struct(options, "mla_context_options")));
    static thread_local char limit[256];
    limit[found.limit.copy(limit, sizeof limit - 1)] = '\0';
    const mla_memory_need filled = {sizeof(mla_memory_need), found.weights, found.repacked, found.derived,
                                    found.cache,             found.context, found.room,     limit};
    write_struct(need, filled, "need");
  });
}

uint64_t mla_context_bytes(const mla_context* context) {
  return property<uint64_t>(__func__, 0, [&] { return not_null(context, "context").context->bytes(); });
}

mla_status mla_context_attention_rates(mla_attention_rates* rates, const mla_context* context) {
  return guarded(__func__, [&] {
    const mla::AttentionRates r = at_rest(context).attention_rates().value_or(mla::AttentionRates{});
    write_struct(rates, {sizeof(mla_attention_rates), r.expanded_start, r.expanded_pair, r.expanded_key, r.absorbed_start, r.absorbed_pair, r.absorbed_query}, "rates");
  });
}

mla_status mla_context_decode(mla_context* context, const mla_batch* batch) {
  return guarded(__func__, [&] {
    mla_context& handle = not_null(context, "context");
    const Turn turn(handle.busy, "the context"), turn_of_cache(*handle.cache.busy, "the context's cache");
    fill(handle.batch, read_struct(&not_null(batch, "batch"), "mla_batch"), *handle.context, *handle.cache.cache);
    handle.context->decode(handle.batch);
  });
}

mla_status mla_context_step(mla_step* step, mla_context* context) {
  return guarded(__func__, [&] {
    mla_step now = read_struct(&not_null(step, "step"), "mla_step");
    now.text = nullptr, now.n_bytes = 0, now.end = 0;
    write_struct(step, now, "step");
    mla_context& handle = not_null(context, "context");
    mla_sampler& sampler = not_null(now.sampler, "step->sampler");
    const Turn turn(sampler.busy, "the sampler");
    std::optional<Turn> turn_of_stream;
    if (now.stream != nullptr) turn_of_stream.emplace(now.stream->busy, "the stream");
    if (now.pending != 0) compute(handle, now.token, now.sequence);
    now.pending = 0;
    write_struct(step, now, "step");  // so it is, whatever happens to the rest
    now.token = sampler.sampler.sample(at_rest(context).logits());
    now.end = handle.tokenizer && handle.tokenizer->is_end_of_generation(now.token);
    if (now.stream != nullptr) {
      now.stream->text = now.end != 0 ? std::string() : now.stream->stream.push(now.token);
      now.text = now.stream->text.c_str(), now.n_bytes = now.stream->text.size();
    }
    if (now.end == 0) sampler.sampler.accept(now.token);
    now.pending = 1;
    write_struct(step, now, "step");
  });
}

mla_status mla_context_logits(const float** out, const mla_context* context) {
  return guarded(__func__, [&] {
    clear_out(out);
    *out = at_rest(context).logits().data();
  });
}

mla_status mla_context_logits_of_row(const float** out, const mla_context* context, int32_t row) {
  return guarded(__func__, [&] {
    clear_out(out);
    *out = at_rest(context).logits(row).data();
  });
}

mla_status mla_context_embedding(const float** out, const mla_context* context, int32_t row) {
  return guarded(__func__, [&] {
    clear_out(out);
    *out = at_rest(context).embedding(row).data();
  });
}

mla_kv_cache* mla_context_cache(mla_context* context) {
  return property<mla_kv_cache*>(__func__, nullptr, [&] { return &not_null(context, "context").cache; });
}

int32_t mla_context_n_threads(const mla_context* context) {
  return property<int32_t>(__func__, -1, [&] { return not_null(context, "context").context->n_threads(); });
}

int32_t mla_context_n_threads_batch(const mla_context* context) {
  return property<int32_t>(__func__, -1, [&] { return not_null(context, "context").context->n_threads_batch(); });
}

mla_status mla_context_abort(mla_context* context) {
  return guarded(__func__, [&] { not_null(context, "context").context->abort(); });
}
