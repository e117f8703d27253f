/* Several texts continued at once, each a sequence of one context:  example-conversations MODEL.gguf PROMPT …
 * A step computes one token of each, in one batch, which reads the weights once for all of them. */
#include <mla/mla.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { max_texts = 8, n_steps = 32, max_bytes = 4096 };

typedef struct conversation {
  mla_sampler *sampler;
  mla_text_stream *stream;
  mla_token token;
  int32_t row; /* of the batch that its logits are in */
  char text[max_bytes];
} conversation;

static void append(conversation *c, const char *text) { strncat(c->text, text, max_bytes - 1 - strlen(c->text)); }

/* Reads a prompt: a sequence whose number is that of the conversation. */
static mla_status begin(conversation *c, mla_context *context, const mla_tokenizer *tokenizer, const char *prompt, int32_t number) {
  mla_sampler_options options = MLA_SAMPLER_OPTIONS_INIT;
  mla_batch batch = MLA_BATCH_INIT;
  mla_token *tokens = NULL;
  mla_sequence_id *sequences = NULL;
  size_t n = 0, i;
  mla_status status;
  options.seed = (uint64_t)number;
  append(c, prompt);
  if ((status = mla_sampler_new(&c->sampler, &options)) || (status = mla_text_stream_new(&c->stream, tokenizer, 0)) ||
      (status = mla_tokenizer_encode(&tokens, &n, tokenizer, prompt, MLA_NUL_TERMINATED, MLA_ENCODE_DEFAULT)))
    return status;
  if ((sequences = malloc(n * sizeof *sequences)) == NULL) return mla_free(tokens), MLA_OUT_OF_MEMORY;
  for (i = 0; i < n; ++i) sequences[i] = number;
  batch.tokens = tokens, batch.sequences = sequences, batch.n = (int32_t)n;
  status = mla_context_decode(context, &batch);
  c->row = batch.n - 1;
  free(sequences), mla_free(tokens);
  return status;
}

/* Picks the conversation's next token from the logits of its row. */
static mla_status choose(conversation *c, mla_context *context, int32_t n_vocab) {
  const float *logits;
  const char *piece;
  mla_status status;
  if ((status = mla_context_logits_of_row(&logits, context, c->row)) || (status = mla_sampler_sample(&c->token, c->sampler, logits, n_vocab)) ||
      (status = mla_sampler_accept(c->sampler, c->token)) || (status = mla_text_stream_push(&piece, NULL, c->stream, c->token)))
    return status;
  append(c, piece);
  return MLA_OK;
}

int main(int argc, char **argv) {
  static conversation texts[max_texts];
  mla_token tokens[max_texts];
  mla_sequence_id sequences[max_texts];
  const uint8_t wanted[max_texts] = {1, 1, 1, 1, 1, 1, 1, 1};
  mla_model *model = NULL;
  mla_context *context = NULL;
  const mla_tokenizer *tokenizer;
  mla_model_info info = MLA_MODEL_INFO_INIT;
  mla_batch batch = MLA_BATCH_INIT;
  const int n = argc - 2;
  int i, step, failed = 1;

  if (n < 1 || n > max_texts) return fprintf(stderr, "usage: %s MODEL.gguf PROMPT … (at most %d)\n", argv[0], max_texts), 2;
  if (mla_model_load(&model, argv[1], NULL) || mla_model_get_info(&info, model) || mla_model_tokenizer(&tokenizer, model) ||
      mla_context_new(&context, model, NULL))
    goto end;
  for (i = 0; i < n; ++i)
    if (begin(&texts[i], context, tokenizer, argv[i + 2], i) || choose(&texts[i], context, info.n_vocab)) goto end;
  batch.tokens = tokens, batch.sequences = sequences, batch.logits = wanted, batch.n = n;
  for (step = 1; step < n_steps; ++step) {
    for (i = 0; i < n; ++i) tokens[i] = texts[i].token, sequences[i] = texts[i].row = i;
    if (mla_context_decode(context, &batch)) goto end;
    for (i = 0; i < n; ++i)
      if (choose(&texts[i], context, info.n_vocab)) goto end;
  }
  for (i = 0; i < n; ++i) printf("%s\n", texts[i].text);
  failed = 0;
end:
  if (failed) fprintf(stderr, "%s: %s\n", argv[0], mla_last_error());
  for (i = 0; i < n; ++i) mla_sampler_free(texts[i].sampler), mla_text_stream_free(texts[i].stream);
  mla_context_free(context), mla_model_free(model);
  return failed;
}
