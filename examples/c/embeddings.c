/* How alike two texts are to the model:  example-embeddings MODEL.gguf TEXT TEXT
 * A text's embedding is the mean of its tokens' embeddings; likeness is the cosine of the angle between two. */
#include <math.h>
#include <mla/mla.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Adds up the embeddings of a text's tokens: out [n_embd]. */
static mla_status embed(float *out, int32_t n_embd, mla_context *context, const mla_tokenizer *tokenizer, const char *text) {
  mla_token *tokens = NULL;
  size_t n = 0, i;
  int32_t k;
  const float *row;
  uint8_t *flags = NULL; /* n times 0, then n times 1 */
  mla_batch batch = MLA_BATCH_INIT;
  mla_status status = mla_tokenizer_encode(&tokens, &n, tokenizer, text, MLA_NUL_TERMINATED, MLA_ENCODE_DEFAULT);
  if (status == MLA_OK) status = mla_kv_cache_clear(mla_context_cache(context)); /* texts know nothing of each other */
  if (status == MLA_OK && (flags = calloc(2 * n + 1, 1)) == NULL) status = MLA_OUT_OF_MEMORY;
  if (status == MLA_OK) {
    memset(flags + n, 1, n);
    batch.tokens = tokens, batch.n = (int32_t)n;
    batch.logits = flags, batch.keep_embedding = flags + n; /* no logits: they cost more than all the rest */
    status = mla_context_decode(context, &batch);
  }
  memset(out, 0, (size_t)n_embd * sizeof *out);
  for (i = 0; i < n && status == MLA_OK; ++i) {
    status = mla_context_embedding(&row, context, (int32_t)i);
    for (k = 0; k < n_embd && status == MLA_OK; ++k) out[k] += row[k];
  }
  free(flags), mla_free(tokens);
  return status;
}

int main(int argc, char **argv) {
  mla_model *model = NULL;
  mla_context *context = NULL;
  const mla_tokenizer *tokenizer;
  mla_model_info info = MLA_MODEL_INFO_INIT;
  float *a = NULL, *b = NULL;
  double ab = 0, aa = 0, bb = 0;
  int32_t k;
  int failed = 1;

  if (argc != 4) return fprintf(stderr, "usage: %s MODEL.gguf TEXT TEXT\n", argv[0]), 2;
  if (mla_model_load(&model, argv[1], NULL) || mla_model_get_info(&info, model) || mla_model_tokenizer(&tokenizer, model) ||
      mla_context_new(&context, model, NULL))
    goto end;
  a = malloc((size_t)info.n_embd * sizeof *a), b = malloc((size_t)info.n_embd * sizeof *b);
  if (a == NULL || b == NULL || embed(a, info.n_embd, context, tokenizer, argv[2]) || embed(b, info.n_embd, context, tokenizer, argv[3])) goto end;
  for (k = 0; k < info.n_embd; ++k) ab += (double)a[k] * b[k], aa += (double)a[k] * a[k], bb += (double)b[k] * b[k];
  printf("%.4f\n", ab / sqrt(aa * bb));
  failed = 0;
end:
  if (failed) fprintf(stderr, "%s: %s\n", argv[0], mla_last_error());
  free(a), free(b), mla_context_free(context), mla_model_free(model);
  return failed;
}
