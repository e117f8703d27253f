/* A text that goes on where an earlier run ended:  example-resume MODEL.gguf FILE [TEXT]
 * Loads the cache from FILE if it is there, reads TEXT, writes 16 tokens and saves the cache. What was read before is not computed again. */
#include <mla/mla.h>
#include <stdio.h>

int main(int argc, char **argv) {
  mla_model *model = NULL;
  mla_context *context = NULL;
  mla_sampler *sampler = NULL;
  mla_text_stream *stream = NULL;
  mla_sampler_options greedy = MLA_SAMPLER_OPTIONS_INIT;
  const mla_tokenizer *tokenizer;
  mla_model_info info = MLA_MODEL_INFO_INIT;
  mla_kv_cache *cache;
  mla_batch batch = MLA_BATCH_INIT;
  mla_token *read = NULL, token = -1;
  size_t n_read = 0;
  const char *text;
  const float *logits;
  mla_status status;
  int i, failed = 1;

  if (argc < 3 || argc > 4) return fprintf(stderr, "usage: %s MODEL.gguf FILE [TEXT]\n", argv[0]), 2;
  greedy.greedy = 1;
  if (mla_model_load(&model, argv[1], NULL) || mla_model_get_info(&info, model) || mla_model_tokenizer(&tokenizer, model) ||
      mla_context_new(&context, model, NULL) || mla_sampler_new(&sampler, &greedy) || mla_text_stream_new(&stream, tokenizer, 0))
    goto end;
  cache = mla_context_cache(context);
  status = mla_kv_cache_load(cache, argv[2], 0);
  if (status != MLA_OK && status != MLA_NOT_FOUND) goto end; /* of another model, damaged, … */
  fprintf(stderr, "%d tokens are there already\n", (int)mla_kv_cache_seq_len(cache, 0));

  /* A token comes from the logits of the one before it, so something must be read: TEXT, or a word that fits anywhere. */
  if (mla_tokenizer_encode(&read, &n_read, tokenizer, argc > 3 ? argv[3] : " and", MLA_NUL_TERMINATED,
                           status == MLA_OK ? MLA_ENCODE_NO_SPECIAL : MLA_ENCODE_DEFAULT))
    goto end;
  batch.tokens = read, batch.n = (int32_t)n_read;
  for (i = 0; i < 16; ++i) {
    if (mla_context_decode(context, &batch) || mla_context_logits(&logits, context) ||
        mla_sampler_sample(&token, sampler, logits, info.n_vocab) || mla_text_stream_push(&text, NULL, stream, token))
      goto end;
    fputs(text, stdout);
    batch.tokens = &token, batch.n = 1;
  }
  if (mla_context_decode(context, &batch) || mla_text_stream_finish(&text, NULL, stream)) goto end; /* now the last one is in it, too */
  puts(text);
  failed = mla_kv_cache_save(cache, argv[2], 0) != MLA_OK;
end:
  if (failed) fprintf(stderr, "%s: %s\n", argv[0], mla_last_error());
  mla_free(read), mla_text_stream_free(stream), mla_sampler_free(sampler), mla_context_free(context), mla_model_free(model);
  return failed;
}
