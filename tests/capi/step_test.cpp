// mla_context_step() is the calls that it stands for, and goes on where it failed.
#include <cmath>
#include <cstring>

#include "capi/demo.hpp"

namespace {

struct Loop {
  demo::Context context;
  demo::Sampler sampler;
  demo::Stream stream;
  mla_step step = MLA_STEP_INIT;

  explicit Loop(const demo::Model& model, mla_sampler_options sampling = MLA_SAMPLER_OPTIONS_INIT, int n_prompt = 20,
                int n_ctx = 128) {
    mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
    options.attention = MLA_ATTENTION_DEEPSEEK_MLA, options.n_threads = 2, options.n_ctx = n_ctx;
    context = demo::make_context(model, &options);
    mla_sampler* made = nullptr;
    demo::ok(mla_sampler_new(&made, &sampling));
    sampler.reset(made);
    mla_text_stream* text = nullptr;
    demo::ok(mla_text_stream_new(&text, demo::tokenizer(model), 0));
    stream.reset(text);
    step.sampler = made, step.stream = text;
    const auto prompt = demo::some_tokens(model, n_prompt);
    const mla_batch batch = demo::batch_of(prompt);
    demo::ok(mla_context_decode(context.get(), &batch));
  }

  mla_status next() { return mla_context_step(&step, context.get()); }
  int n_rows() const { return mla_kv_cache_seq_len(mla_context_cache(context.get()), 0); }

  /// One token by the single calls, decoded at once; its text.
  std::string by_hand(const demo::Model& model, mla_token& token) {
    const char* piece = nullptr;
    demo::ok(mla_sampler_sample(&token, sampler.get(), demo::logits(model, context).data(), demo::n_vocab(model)));
    REQUIRE(mla_tokenizer_is_end_of_generation(demo::tokenizer(model), token) == 0);
    demo::ok(mla_sampler_accept(sampler.get(), token));
    demo::ok(mla_text_stream_push(&piece, nullptr, stream.get(), token));
    const std::vector<mla_token> one = {token};
    const mla_batch batch = demo::batch_of(one);
    demo::ok(mla_context_decode(context.get(), &batch));
    return piece;
  }
};

/// Penalties, so that a token which isn't accepted shows.
mla_sampler_options penalised(const mla_logit_bias& no_end) {
  mla_sampler_options sampling = MLA_SAMPLER_OPTIONS_INIT;
  sampling.seed = 11, sampling.repeat_penalty = 1.3f, sampling.frequency_penalty = 0.5f;
  sampling.logit_bias = &no_end, sampling.n_logit_bias = 1;
  return sampling;
}

}  // namespace

TEST_CASE("steps give the tokens and the text of the single calls") {
  const demo::Model model = demo::load();
  const mla_logit_bias no_end = {mla_tokenizer_eos(demo::tokenizer(model)), -INFINITY};
  Loop steps(model, penalised(no_end)), by_hand(model, penalised(no_end));
  for (int i = 0; i < 30; ++i) {
    mla_token token = -1;
    const std::string piece = by_hand.by_hand(model, token);
    demo::ok(steps.next());
    CHECK(steps.step.token == token);
    CHECK(std::string(steps.step.text) == piece);
    CHECK(steps.step.n_bytes == piece.size());
    CHECK((steps.step.end == 0 && steps.step.pending == 1));
    CHECK(steps.n_rows() == 20 + i);
  }
}

TEST_CASE("a step without a stream hands out no text, and one of another sequence grows that one") {
  const demo::Model model = demo::load();
  Loop loop(model);
  loop.step.stream = nullptr;
  demo::ok(loop.next());
  CHECK(loop.step.text == nullptr);
  loop.step.sequence = 4;
  demo::ok(loop.next());
  CHECK(loop.n_rows() == 20);
  CHECK(mla_kv_cache_seq_len(mla_context_cache(loop.context.get()), 4) == 1);
}

TEST_CASE("a token that ends the answer is told, and is neither accepted nor text") {
  const demo::Model model = demo::load();
  const mla_token eos = mla_tokenizer_eos(demo::tokenizer(model));
  const mla_logit_bias only_end = {eos, 1000};
  mla_sampler_options sampling = MLA_SAMPLER_OPTIONS_INIT;
  sampling.logit_bias = &only_end, sampling.n_logit_bias = 1;
  sampling.presence_penalty = 1e30f;  // were it accepted, it would not be drawn again
  Loop loop(model, sampling);
  for (int i = 0; i < 2; ++i) {
    loop.step.pending = 0;
    demo::ok(loop.next());
    CHECK((loop.step.token == eos && loop.step.end == 1));
    CHECK(std::string(loop.step.text).empty());
  }
}

TEST_CASE("a step that failed is taken up by the same call") {
  const demo::Model model = demo::load();
  const mla_logit_bias no_end = {mla_tokenizer_eos(demo::tokenizer(model)), -INFINITY};
  int stop = 0;
  mla_sampler_options sampling = penalised(no_end);
  sampling.mask = [](void* data, float*, int32_t) { return *static_cast<int*>(data); };
  sampling.mask_user_data = &stop;
  Loop loop(model, sampling), other(model, sampling);
  for (int i = 0; i < 6; ++i) {
    demo::ok(other.next());
    if (i % 2 == 0) {
      stop = 1;
      const mla_token before = loop.step.token;
      CHECK(loop.next() == MLA_ABORTED);
      CHECK((loop.step.token == before && loop.step.pending == 0 && loop.step.text == nullptr && loop.step.n_bytes == 0));
      stop = 0;
    }
    demo::ok(loop.next());
    CHECK(loop.step.token == other.step.token);
    CHECK(loop.n_rows() == 20 + i);
  }
}

TEST_CASE("a step that finds no room leaves its token pending") {
  const demo::Model model = demo::load();
  Loop loop(model, MLA_SAMPLER_OPTIONS_INIT, 64, 64);
  demo::ok(loop.next());
  const mla_token token = loop.step.token;
  CHECK(loop.next() == MLA_CACHE_FULL);
  CHECK((loop.step.token == token && loop.step.pending == 1 && loop.step.text == nullptr));
  demo::ok(mla_kv_cache_clear(mla_context_cache(loop.context.get())));
  demo::ok(loop.next());
  CHECK(loop.n_rows() == 1);
}

TEST_CASE("a step of an older header, which ends before what it didn't know, is not written beyond") {
  const demo::Model model = demo::load();
  Loop loop(model);
  mla_step older = loop.step;
  older.struct_size = offsetof(mla_step, text);
  std::memset(&older.text, 0x5a, sizeof older.text);
  const auto* untouched = older.text;
  demo::ok(mla_context_step(&older, loop.context.get()));
  demo::ok(loop.next());
  CHECK((older.pending == 1 && older.text == untouched));
}

TEST_CASE("a mask may look at the context while a step samples, and not use the sampler or the stream") {
  struct Mask {
    Loop* loop = nullptr;
    int n_calls = 0;
    static int look(void* data, float*, int32_t) {
      auto& mask = *static_cast<Mask*>(data);
      const float* logits = nullptr;
      const char* text = nullptr;
      CHECK(mla_context_logits(&logits, mask.loop->context.get()) == MLA_OK);
      CHECK(mla_context_step(&mask.loop->step, mask.loop->context.get()) == MLA_INVALID_ARGUMENT);
      CHECK(mla_text_stream_push(&text, nullptr, mask.loop->stream.get(), 5) == MLA_INVALID_ARGUMENT);
      CHECK_THAT(mla_last_error(), Catch::Matchers::Contains("in use by another call"));
      return ++mask.n_calls, 0;
    }
  } mask;
  mla_sampler_options sampling = MLA_SAMPLER_OPTIONS_INIT;
  sampling.mask = Mask::look, sampling.mask_user_data = &mask;
  const demo::Model model = demo::load();
  Loop loop(model, sampling);
  mask.loop = &loop;
  demo::ok(loop.next());
  demo::ok(loop.next());
  CHECK(mask.n_calls == 2);
}
