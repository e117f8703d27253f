// Every function with NULL and with arguments that can't be: a status and a message, never a crash.
#include <cmath>
#include <limits>
#include <set>

#include <mla/mla_experimental.h>

#include "capi/demo.hpp"
#include "declared_functions.h"

namespace {

std::set<std::string> called;

std::string function_of(const char* call) { return std::string(call).substr(0, std::string(call).find('(')); }

// The call fails with MLA_INVALID_ARGUMENT and a message of its own.
#define REFUSED(call)                                                                              \
  do {                                                                                             \
    called.insert(function_of(#call));                                                             \
    static_cast<void>(mla_model_load(nullptr, nullptr, nullptr)); /* another message before it */  \
    const std::string before = mla_last_error();                                                   \
    CHECK((call) == MLA_INVALID_ARGUMENT);                                                         \
    if (function_of(#call).rfind("mla_model_load", 0) != 0) CHECK(mla_last_error() != before);                 \
    CHECK(std::string(mla_last_error()) != "");                                                    \
  } while (false)

// A property of NULL: what the header says, and a message that names the function.
#define PROPERTY(call, value)                                                              \
  do {                                                                                     \
    called.insert(function_of(#call));                                                     \
    CHECK((call) == (value));                                                              \
    CHECK(std::string(mla_last_error()).rfind(function_of(#call) + "(): ", 0) == 0);       \
  } while (false)

// Nothing to refuse; it must do no harm.
#define HARMLESS(call) (called.insert(function_of(#call)), call)

void refuse_model_calls(const demo::Model& model) {
  mla_model* out = nullptr;
  mla_model_options options = MLA_MODEL_OPTIONS_INIT;
  REFUSED(mla_model_load(nullptr, "x", nullptr));
  REFUSED(mla_model_load(&out, nullptr, nullptr));
  options.n_overrides = 1;
  REFUSED(mla_model_load(&out, "x", &options));
  options.n_overrides = SIZE_MAX;
  const mla_override half = {"key", nullptr};
  options.overrides = &half;
  REFUSED(mla_model_load(&out, "x", &options));
  options.n_overrides = 1;
  REFUSED(mla_model_load(&out, "x", &options));
  options.overrides = nullptr, options.n_overrides = 0;
  const mla_allocator empty = MLA_ALLOCATOR_INIT;
  options.allocator = &empty;
  REFUSED(mla_model_load(&out, "x", &options));
  options = MLA_MODEL_OPTIONS_INIT, options.numa = static_cast<mla_numa>(6);
  REFUSED(mla_model_load(&out, demo::path().c_str(), &options));
  options = MLA_MODEL_OPTIONS_INIT, options.repack = static_cast<mla_repack_mode>(3);
  REFUSED(mla_model_load(&out, "x", &options));
  options = MLA_MODEL_OPTIONS_INIT, options.n_threads = -1;
  REFUSED(mla_model_load(&out, "x", &options));
  options = MLA_MODEL_OPTIONS_INIT, options.load_type = "q8_0";
  REFUSED(mla_model_load_fd(&out, 0, &options));
  REFUSED(mla_model_load_fd(nullptr, 0, nullptr));
  CHECK(mla_model_load_fd(&out, -1, nullptr) == MLA_IO_ERROR);
  REFUSED(mla_model_load_memory(nullptr, "x", 1, nullptr, nullptr, nullptr));
  REFUSED(mla_model_load_memory(&out, nullptr, 1, nullptr, nullptr, nullptr));
  REFUSED(mla_model_load_memory(&out, "x", SIZE_MAX, nullptr, nullptr, nullptr));
  CHECK(mla_model_load_memory(&out, "x", 0, nullptr, nullptr, nullptr) == MLA_BAD_FILE);
  CHECK(out == nullptr);
  mla_model_info info = MLA_MODEL_INFO_INIT;
  mla_cache_shape shape = MLA_CACHE_SHAPE_INIT;
  const mla_tokenizer* tokenizer = nullptr;
  REFUSED(mla_model_get_info(nullptr, model.get()));
  REFUSED(mla_model_get_info(&info, nullptr));
  REFUSED(mla_model_cache_shape(nullptr, model.get()));
  REFUSED(mla_model_cache_shape(&shape, nullptr));
  REFUSED(mla_model_tokenizer(nullptr, model.get()));
  REFUSED(mla_model_tokenizer(&tokenizer, nullptr));
  PROPERTY(mla_model_chat_template(nullptr), nullptr);
  HARMLESS(mla_model_free(nullptr));
}

void refuse_cache_calls(const demo::Model& model, mla_kv_cache* cache) {
  mla_kv_cache* out = nullptr;
  uint64_t bytes = 0;
  mla_cache_shape shape = MLA_CACHE_SHAPE_INIT;
  mla_kv_cache_options options = MLA_KV_CACHE_OPTIONS_INIT;
  REFUSED(mla_kv_cache_new(nullptr, &shape, nullptr));
  REFUSED(mla_kv_cache_new(&out, nullptr, nullptr));
  REFUSED(mla_kv_cache_new(&out, &shape, nullptr));  // of no layers
  REFUSED(mla_kv_cache_bytes_at_capacity(nullptr, &shape, nullptr));
  REFUSED(mla_kv_cache_bytes_at_capacity(&bytes, nullptr, nullptr));
  REFUSED(mla_kv_cache_bytes_at_capacity(&bytes, &shape, nullptr));
  demo::ok(mla_model_cache_shape(&shape, model.get()));
  options.n_ctx = -1;
  REFUSED(mla_kv_cache_new(&out, &shape, &options));
  REFUSED(mla_kv_cache_bytes_at_capacity(&bytes, &shape, &options));
  PROPERTY(mla_kv_cache_bytes(nullptr), 0u);
  PROPERTY(mla_kv_cache_row_bytes(nullptr), 0u);
  PROPERTY(mla_kv_cache_n_pages(nullptr), -1);
  PROPERTY(mla_kv_cache_n_pages_used(nullptr), -1);
  PROPERTY(mla_kv_cache_seq_len(nullptr, 0), -1);
  PROPERTY(mla_kv_cache_seq_pos_min(nullptr, 0), -1);
  PROPERTY(mla_kv_cache_seq_pos_max(nullptr, 0), -1);
  REFUSED(mla_kv_cache_seq_rm(nullptr, nullptr, 0, 0, -1));
  REFUSED(mla_kv_cache_seq_cp(nullptr, 0, 1, 0, -1));
  REFUSED(mla_kv_cache_seq_cp(cache, 0, 0, 0, -1));
  REFUSED(mla_kv_cache_seq_cp(cache, 0, -1, 0, -1));
  REFUSED(mla_kv_cache_seq_keep(nullptr, 0));
  REFUSED(mla_kv_cache_clear(nullptr));
  REFUSED(mla_kv_cache_bind(nullptr, model.get()));
  REFUSED(mla_kv_cache_bind(cache, nullptr));
  REFUSED(mla_kv_cache_seq_add(nullptr, 0, 0, -1, 1));
  REFUSED(mla_kv_cache_seq_add(cache, -1, 0, -1, 1));
  REFUSED(mla_kv_cache_defrag(nullptr));
  int32_t n_reused = 0;
  const mla_token none = -1;
  REFUSED(mla_kv_cache_reuse_prefix(nullptr, cache, 0, nullptr, 0));
  REFUSED(mla_kv_cache_reuse_prefix(&n_reused, nullptr, 0, nullptr, 0));
  REFUSED(mla_kv_cache_reuse_prefix(&n_reused, cache, 0, nullptr, 1));
  REFUSED(mla_kv_cache_reuse_prefix(&n_reused, cache, 0, &none, 1));
  void* state = nullptr;
  size_t n_bytes = 0;
  REFUSED(mla_kv_cache_save(nullptr, "x", 0));
  REFUSED(mla_kv_cache_save(cache, nullptr, 0));
  REFUSED(mla_kv_cache_save(cache, "x", -2));
  REFUSED(mla_kv_cache_save_memory(nullptr, &n_bytes, cache, 0));
  REFUSED(mla_kv_cache_save_memory(&state, nullptr, cache, 0));
  REFUSED(mla_kv_cache_save_memory(&state, &n_bytes, nullptr, 0));
  REFUSED(mla_kv_cache_save_memory(&state, &n_bytes, cache, 5));  // empty
  REFUSED(mla_kv_cache_load(nullptr, "x", 0));
  REFUSED(mla_kv_cache_load(cache, nullptr, 0));
  REFUSED(mla_kv_cache_load_memory(nullptr, "x", 1, 0));
  REFUSED(mla_kv_cache_load_memory(cache, nullptr, 1, 0));
  REFUSED(mla_kv_cache_load_memory(cache, "x", 1, -2));
  REFUSED(mla_kv_cache_shape(nullptr, cache));
  REFUSED(mla_kv_cache_shape(&shape, nullptr));
  REFUSED(mla_kv_cache_get_options(nullptr, cache));
  REFUSED(mla_kv_cache_get_options(&options, nullptr));
  REFUSED(mla_kv_cache_fill_random(nullptr, 0, 1, 0));
  REFUSED(mla_kv_cache_fill_random(cache, 0, -1, 0));
  REFUSED(mla_kv_cache_fill_random(cache, -1, 1, 0));
  HARMLESS(mla_kv_cache_free(nullptr));
  mla_kv_cache_free(cache);  // borrowed from its context
  CHECK_THAT(mla_last_error(), Catch::Matchers::Contains("borrowed"));
  CHECK(mla_kv_cache_seq_len(cache, -7) == 0);
  CHECK(mla_kv_cache_seq_pos_max(cache, std::numeric_limits<int32_t>::max()) == -1);
}

void refuse_context_calls(const demo::Model& model, mla_context* context) {
  mla_context* out = nullptr;
  const float* logits = nullptr;
  mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
  REFUSED(mla_context_new(nullptr, model.get(), nullptr));
  REFUSED(mla_context_new(&out, nullptr, nullptr));
  options.n_ctx = -5;
  REFUSED(mla_context_new(&out, model.get(), &options));
  options = MLA_CONTEXT_OPTIONS_INIT, options.n_ubatch = -1;
  REFUSED(mla_context_new(&out, model.get(), &options));
  options = MLA_CONTEXT_OPTIONS_INIT, options.n_threads = -1;
  REFUSED(mla_context_new(&out, model.get(), &options));
  options = MLA_CONTEXT_OPTIONS_INIT, options.n_threads_batch = 5000;
  REFUSED(mla_context_new(&out, model.get(), &options));
  options = MLA_CONTEXT_OPTIONS_INIT, options.attention = MLA_ATTENTION_DEEPSEEK2, options.cache = mla_context_cache(context);
  REFUSED(mla_context_new(&out, model.get(), &options));  // a latent cache
  mla_thread_pool pool = MLA_THREAD_POOL_INIT;
  options = MLA_CONTEXT_OPTIONS_INIT, options.thread_pool = &pool;
  REFUSED(mla_context_new(&out, model.get(), &options));  // without run
  pool.run = [](void*, int32_t, mla_task_fn, void*) {};
  REFUSED(mla_context_new(&out, model.get(), &options));  // of no threads
  CHECK(out == nullptr);
  REFUSED(mla_context_logits(nullptr, context));
  REFUSED(mla_context_logits(&logits, nullptr));
  REFUSED(mla_context_logits(&logits, context));  // before any decode
  REFUSED(mla_context_logits_of_row(nullptr, context, 0));
  REFUSED(mla_context_logits_of_row(&logits, nullptr, 0));
  REFUSED(mla_context_logits_of_row(&logits, context, 0));
  REFUSED(mla_context_logits_of_row(&logits, context, -1));
  REFUSED(mla_context_embedding(nullptr, context, 0));
  REFUSED(mla_context_embedding(&logits, nullptr, 0));
  REFUSED(mla_context_embedding(&logits, context, 0));
  mla_memory_need need = MLA_MEMORY_NEED_INIT;
  REFUSED(mla_context_memory_need(nullptr, "x", nullptr));
  REFUSED(mla_context_memory_need(&need, nullptr, nullptr));
  options = MLA_CONTEXT_OPTIONS_INIT, options.n_ubatch = -1;
  REFUSED(mla_context_memory_need(&need, demo::path().c_str(), &options));
  CHECK(mla_context_memory_need(&need, "/nowhere", nullptr) == MLA_NOT_FOUND);
  mla_op_timing* timings = nullptr;
  size_t n = 0;
  REFUSED(mla_context_time_ops(nullptr, 1));
  REFUSED(mla_context_reset_op_timings(nullptr));
  REFUSED(mla_context_op_timings(nullptr, &n, context));
  REFUSED(mla_context_op_timings(&timings, nullptr, context));
  REFUSED(mla_context_op_timings(&timings, &n, nullptr));
  mla_attention_rates rates = MLA_ATTENTION_RATES_INIT;
  REFUSED(mla_context_attention_rates(nullptr, context));
  REFUSED(mla_context_attention_rates(&rates, nullptr));
  PROPERTY(mla_context_bytes(nullptr), 0u);
  PROPERTY(mla_context_cache(nullptr), nullptr);
  PROPERTY(mla_context_n_threads(nullptr), -1);
  PROPERTY(mla_context_n_threads_batch(nullptr), -1);
  REFUSED(mla_context_abort(nullptr));
  HARMLESS(mla_context_free(nullptr));
}

void refuse_pool_and_machine_calls() {
  mla_thread_pool* out = nullptr;
  mla_thread_pool_options options = MLA_THREAD_POOL_OPTIONS_INIT;
  REFUSED(mla_thread_pool_new(nullptr, nullptr));
  options.n_threads = -1;
  REFUSED(mla_thread_pool_new(&out, &options));
  options = MLA_THREAD_POOL_OPTIONS_INIT, options.numa = static_cast<mla_numa>(6);
  REFUSED(mla_thread_pool_new(&out, &options));
  HARMLESS(mla_thread_pool_free(nullptr));
  mla_thread_pool host = MLA_THREAD_POOL_INIT;
  mla_thread_pool_free(&host);  // not the library's
  CHECK_THAT(mla_last_error(), Catch::Matchers::Contains("mla_thread_pool_new()"));
  mla_machine_rates rates = MLA_MACHINE_RATES_INIT;
  REFUSED(mla_machine_measure(nullptr, 1));
  REFUSED(mla_machine_measure(&rates, -1));
  CHECK(HARMLESS(mla_default_threads()) >= 1);
}

void refuse_batches(const demo::Model& model, mla_context* context) {
  const mla_token token = 5, beyond = demo::n_vocab(model), negative = -1;
  const mla_sequence_id no_sequence = -3;
  const mla_position no_position = -1;
  const float embedding = 0;
  mla_batch batch = MLA_BATCH_INIT;
  REFUSED(mla_context_decode(nullptr, &batch));
  REFUSED(mla_context_decode(context, nullptr));
  REFUSED(mla_context_decode(context, &batch));  // no rows
  batch.n = 1;
  REFUSED(mla_context_decode(context, &batch));  // neither tokens nor embeddings
  batch.tokens = &token, batch.embeddings = &embedding;
  REFUSED(mla_context_decode(context, &batch));  // both
  batch.embeddings = nullptr, batch.n = -1;
  REFUSED(mla_context_decode(context, &batch));
  batch.n = 1, batch.tokens = &beyond;
  REFUSED(mla_context_decode(context, &batch));
  batch.tokens = &negative;
  REFUSED(mla_context_decode(context, &batch));
  batch.tokens = &token, batch.sequences = &no_sequence;
  REFUSED(mla_context_decode(context, &batch));
  batch.sequences = nullptr, batch.positions = &no_position;
  REFUSED(mla_context_decode(context, &batch));
  CHECK(mla_kv_cache_seq_len(mla_context_cache(context), 0) == 0);
}

void refuse_steps(const demo::Model& model, mla_context* context) {
  mla_step step = MLA_STEP_INIT;
  REFUSED(mla_context_step(nullptr, context));
  REFUSED(mla_context_step(&step, nullptr));
  REFUSED(mla_context_step(&step, context));  // no sampler
  mla_sampler* sampler = nullptr;
  demo::ok(mla_sampler_new(&sampler, nullptr));
  const demo::Sampler owner(sampler);
  step.sampler = sampler;
  REFUSED(mla_context_step(&step, nullptr));
  REFUSED(mla_context_step(&step, context));  // nothing was computed
  step.pending = 1, step.token = demo::n_vocab(model);
  REFUSED(mla_context_step(&step, context));
  step.token = -1;
  REFUSED(mla_context_step(&step, context));
  step.token = 5, step.sequence = -3;
  REFUSED(mla_context_step(&step, context));
  CHECK(step.pending == 1);
  step.struct_size = sizeof step + 1;
  REFUSED(mla_context_step(&step, context));
  CHECK(mla_kv_cache_seq_len(mla_context_cache(context), 0) == 0);
}

void refuse_tokenizer_calls(const mla_tokenizer* tokenizer) {
  mla_token* tokens = nullptr;
  char* text = nullptr;
  const char* borrowed = nullptr;
  size_t n = 7;
  mla_token_kind kind;
  const mla_token beyond = mla_tokenizer_size(tokenizer);
  REFUSED(mla_tokenizer_encode(nullptr, &n, tokenizer, "a", 1, 0));
  REFUSED(mla_tokenizer_encode(&tokens, nullptr, tokenizer, "a", 1, 0));
  REFUSED(mla_tokenizer_encode(&tokens, &n, nullptr, "a", 1, 0));
  REFUSED(mla_tokenizer_encode(&tokens, &n, tokenizer, nullptr, 1, 0));
  REFUSED(mla_tokenizer_encode(&tokens, &n, tokenizer, nullptr, MLA_NUL_TERMINATED, 0));
  REFUSED(mla_tokenizer_encode(&tokens, &n, tokenizer, "a", 1, 64));
  CHECK(n == 0);
  REFUSED(mla_tokenizer_decode(nullptr, &n, tokenizer, &beyond, 1, 0));
  REFUSED(mla_tokenizer_decode(&text, &n, nullptr, &beyond, 1, 0));
  REFUSED(mla_tokenizer_decode(&text, &n, tokenizer, nullptr, 1, 0));
  REFUSED(mla_tokenizer_decode(&text, &n, tokenizer, &beyond, 1, 0));
  REFUSED(mla_tokenizer_decode(&text, &n, tokenizer, &beyond, SIZE_MAX, 0));
  REFUSED(mla_tokenizer_piece(nullptr, &n, tokenizer, 0));
  REFUSED(mla_tokenizer_piece(&borrowed, nullptr, tokenizer, 0));
  REFUSED(mla_tokenizer_piece(&borrowed, &n, nullptr, 0));
  REFUSED(mla_tokenizer_piece(&borrowed, &n, tokenizer, beyond));
  REFUSED(mla_tokenizer_kind(nullptr, tokenizer, 0));
  REFUSED(mla_tokenizer_kind(&kind, nullptr, 0));
  REFUSED(mla_tokenizer_kind(&kind, tokenizer, -1));
  PROPERTY(mla_tokenizer_find(nullptr, "a", 1), -1);
  PROPERTY(mla_tokenizer_find(tokenizer, nullptr, 1), -1);
  PROPERTY(mla_tokenizer_size(nullptr), -1);
  PROPERTY(mla_tokenizer_bos(nullptr), -1);
  PROPERTY(mla_tokenizer_eos(nullptr), -1);
  PROPERTY(mla_tokenizer_pad(nullptr), -1);
  PROPERTY(mla_tokenizer_unknown(nullptr), -1);
  PROPERTY(mla_tokenizer_add_bos(nullptr), -1);
  PROPERTY(mla_tokenizer_add_eos(nullptr), -1);
  PROPERTY(mla_tokenizer_is_end_of_generation(nullptr, 0), -1);
  PROPERTY(mla_tokenizer_pre(nullptr), nullptr);
  CHECK(mla_tokenizer_is_end_of_generation(tokenizer, -1) == 0);
  CHECK(mla_tokenizer_is_end_of_generation(tokenizer, beyond) == 0);

  mla_text_stream* stream = nullptr;
  REFUSED(mla_text_stream_new(nullptr, tokenizer, 0));
  REFUSED(mla_text_stream_new(&stream, nullptr, 0));
  demo::ok(mla_text_stream_new(&stream, tokenizer, 0));
  const demo::Stream owner(stream);
  REFUSED(mla_text_stream_push(nullptr, &n, stream, 0));
  REFUSED(mla_text_stream_push(&borrowed, &n, nullptr, 0));
  REFUSED(mla_text_stream_push(&borrowed, &n, stream, beyond));
  REFUSED(mla_text_stream_finish(nullptr, &n, stream));
  REFUSED(mla_text_stream_finish(&borrowed, &n, nullptr));
  HARMLESS(mla_text_stream_free(nullptr));
}

void refuse_chat_calls(const mla_tokenizer* tokenizer) {
  mla_chat_template* made = nullptr;
  mla_token* tokens = nullptr;
  char* text = nullptr;
  size_t n = 0;
  REFUSED(mla_chat_template_new(nullptr, "x"));
  REFUSED(mla_chat_template_new(&made, nullptr));
  demo::ok(mla_chat_template_new(&made, "{{ messages[0].content }}"));
  const demo::Template owner(made);
  const mla_chat_message message = {"user", "hi"}, no_role = {nullptr, "hi"}, no_content = {"user", nullptr};
  REFUSED(mla_chat_render(nullptr, &n, made, &message, 1, nullptr));
  REFUSED(mla_chat_render(&text, &n, nullptr, &message, 1, nullptr));
  REFUSED(mla_chat_render(&text, &n, made, nullptr, 1, nullptr));
  REFUSED(mla_chat_render(&text, &n, made, &no_role, 1, nullptr));
  REFUSED(mla_chat_render(&text, &n, made, &no_content, 1, nullptr));
  REFUSED(mla_chat_render_json(nullptr, &n, made, "[]", nullptr));
  REFUSED(mla_chat_render_json(&text, &n, nullptr, "[]", nullptr));
  REFUSED(mla_chat_render_json(&text, &n, made, nullptr, nullptr));
  REFUSED(mla_chat_render_json(&text, &n, made, "not json", nullptr));
  REFUSED(mla_chat_encode(nullptr, &n, made, tokenizer, &message, 1, nullptr));
  REFUSED(mla_chat_encode(&tokens, nullptr, made, tokenizer, &message, 1, nullptr));
  REFUSED(mla_chat_encode(&tokens, &n, nullptr, tokenizer, &message, 1, nullptr));
  REFUSED(mla_chat_encode(&tokens, &n, made, nullptr, &message, 1, nullptr));
  REFUSED(mla_chat_encode(&tokens, &n, made, tokenizer, nullptr, 1, nullptr));
  REFUSED(mla_chat_encode_json(nullptr, &n, made, tokenizer, "[]", nullptr));
  REFUSED(mla_chat_encode_json(&tokens, nullptr, made, tokenizer, "[]", nullptr));
  REFUSED(mla_chat_encode_json(&tokens, &n, nullptr, tokenizer, "[]", nullptr));
  REFUSED(mla_chat_encode_json(&tokens, &n, made, nullptr, "[]", nullptr));
  REFUSED(mla_chat_encode_json(&tokens, &n, made, tokenizer, nullptr, nullptr));
  mla_chat_options options = MLA_CHAT_OPTIONS_INIT;
  options.extra_json = "[1]";
  REFUSED(mla_chat_render(&text, &n, made, &message, 1, &options));
  HARMLESS(mla_chat_template_free(nullptr));
}

void refuse_sampler_calls() {
  mla_sampler* sampler = nullptr;
  mla_token token = 0;
  mla_token_probability* candidates = nullptr;
  size_t n = 0;
  const float logits[4] = {0, 1, 2, 3}, not_a_number[2] = {0, NAN};
  mla_sampler_options options = MLA_SAMPLER_OPTIONS_INIT;
  REFUSED(mla_sampler_new(nullptr, nullptr));
  options.top_p = 3;
  REFUSED(mla_sampler_new(&sampler, &options));
  options = MLA_SAMPLER_OPTIONS_INIT, options.n_logit_bias = 2;
  REFUSED(mla_sampler_new(&sampler, &options));
  options = MLA_SAMPLER_OPTIONS_INIT, options.mirostat = 7;
  REFUSED(mla_sampler_new(&sampler, &options));
  demo::ok(mla_sampler_new(&sampler, nullptr));
  const demo::Sampler owner(sampler);
  REFUSED(mla_sampler_copy(nullptr, sampler));
  mla_sampler* copy = nullptr;
  REFUSED(mla_sampler_copy(&copy, nullptr));
  REFUSED(mla_sampler_sample(nullptr, sampler, logits, 4));
  REFUSED(mla_sampler_sample(&token, nullptr, logits, 4));
  CHECK(token == -1);
  REFUSED(mla_sampler_sample(&token, sampler, nullptr, 4));
  REFUSED(mla_sampler_sample(&token, sampler, logits, 0));
  REFUSED(mla_sampler_sample(&token, sampler, logits, -4));
  REFUSED(mla_sampler_sample(&token, sampler, not_a_number, 2));
  REFUSED(mla_sampler_probabilities(nullptr, &n, sampler, logits, 4));
  REFUSED(mla_sampler_probabilities(&candidates, nullptr, sampler, logits, 4));
  REFUSED(mla_sampler_probabilities(&candidates, &n, nullptr, logits, 4));
  REFUSED(mla_sampler_probabilities(&candidates, &n, sampler, nullptr, 4));
  REFUSED(mla_sampler_accept(nullptr, 0));
  REFUSED(mla_sampler_accept(sampler, -1));
  REFUSED(mla_sampler_reset(nullptr));
  PROPERTY(mla_sampler_mirostat_mu(nullptr), -1.0);
  HARMLESS(mla_sampler_free(nullptr));
}

}  // namespace

TEST_CASE("every function refuses NULL and wrong arguments") {
  called.clear();
  const demo::Model model = demo::load();
  mla_context_options small = MLA_CONTEXT_OPTIONS_INIT;
  small.n_ctx = 64;
  const demo::Context context = demo::make_context(model, &small);
  refuse_model_calls(model);
  refuse_cache_calls(model, mla_context_cache(context.get()));
  refuse_context_calls(model, context.get());
  refuse_pool_and_machine_calls();
  refuse_batches(model, context.get());
  refuse_steps(model, context.get());
  refuse_tokenizer_calls(demo::tokenizer(model));
  refuse_chat_calls(demo::tokenizer(model));
  refuse_sampler_calls();
  HARMLESS(mla_free(nullptr));
  HARMLESS(mla_last_error());
  CHECK(std::string(HARMLESS(mla_version())) == "0.1.0");
  CHECK(std::string(HARMLESS(mla_isa_name())) != "");
  CHECK(std::string(HARMLESS(mla_status_name(MLA_BAD_FILE))) == "bad file");
  CHECK(std::string(mla_status_name(static_cast<mla_status>(10))) == "unknown status");

  std::set<std::string> declared;
#define INSERT(name) declared.insert(#name);
  MLA_DECLARED_FUNCTIONS(INSERT)
  CHECK(called == declared);
}
