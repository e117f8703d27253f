/* What the fragments of C in the documents take for granted: these names, a loaded model, and that every call of theirs succeeds. */
#include <mla/mla.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mla_model *model;
static mla_context *context;
static mla_sampler *sampler;
static mla_text_stream *stream;
static mla_kv_cache *cache;
static const mla_tokenizer *tokenizer;
static mla_model_info info = MLA_MODEL_INFO_INIT;
static mla_batch batch = MLA_BATCH_INIT;
static mla_token *prompt, token;
static size_t n_prompt;
static const float *logits;
static const char *text;
/* What set_up() made, for a fragment may put others under the same names. */
static struct {
  mla_model *model;
  mla_context *context;
  mla_sampler *sampler;
  mla_token *prompt;
} first;

static int set_up(void) {
  (void)token, (void)logits, (void)text, (void)batch; /* no fragment uses all of them */
  if (mla_model_load(&model, "model.gguf", NULL) || mla_model_get_info(&info, model) || mla_model_tokenizer(&tokenizer, model) ||
      mla_context_new(&context, model, NULL) || mla_sampler_new(&sampler, NULL) || mla_text_stream_new(&stream, tokenizer, 0) ||
      mla_tokenizer_encode(&prompt, &n_prompt, tokenizer, "In the beginning", MLA_NUL_TERMINATED, MLA_ENCODE_DEFAULT))
    return 1;
  first.model = model, first.context = context, first.sampler = sampler, first.prompt = prompt;
  cache = mla_context_cache(context);
  batch.tokens = prompt, batch.n = (int32_t)n_prompt;
  return 0;
}

static int tear_down(void) {
  if (prompt != first.prompt) mla_free(first.prompt);
  if (sampler != first.sampler) mla_sampler_free(first.sampler);
  if (context != first.context) mla_context_free(first.context);
  if (model != first.model) mla_model_free(first.model);
  mla_free(prompt), mla_text_stream_free(stream), mla_sampler_free(sampler), mla_context_free(context), mla_model_free(model);
  if (*mla_last_error() == 0) return 0;
  fprintf(stderr, "a call failed: %s\n", mla_last_error());
  return 1;
}

#define BEGIN                  \
  int main(void) {             \
    if (set_up()) return 1;    \
    {
#define END                    \
    }                          \
    return tear_down();        \
  }
