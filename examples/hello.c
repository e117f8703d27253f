/* Continues a text, in C, with nothing but libmla.so:  mla-hello MODEL.gguf "Once upon a time" */
#include <mla/mla.h>
#include <stdio.h>

int main(int argc, char **argv) {
  mla_model *model = NULL;
  mla_context *context = NULL;
  mla_sampler *sampler = NULL;
  mla_text_stream *stream = NULL;
  const mla_tokenizer *tokenizer;
  mla_model_info info = MLA_MODEL_INFO_INIT;
  mla_batch batch = MLA_BATCH_INIT;
  mla_token *prompt = NULL, token;
  size_t n_prompt;
  const char *text;
  const float *logits;
  int i, status = 1;

  if (argc != 3) return fprintf(stderr, "usage: %s MODEL.gguf PROMPT\n", argv[0]), 2;
  if (mla_model_load(&model, argv[1], NULL) || mla_model_get_info(&info, model) || mla_model_tokenizer(&tokenizer, model) ||
      mla_context_new(&context, model, NULL) || mla_sampler_new(&sampler, NULL) ||
      mla_text_stream_new(&stream, tokenizer, 0) ||
      mla_tokenizer_encode(&prompt, &n_prompt, tokenizer, argv[2], MLA_NUL_TERMINATED, MLA_ENCODE_DEFAULT))
    goto end;

  fputs(argv[2], stdout);
  batch.tokens = prompt;
  batch.n = (int32_t)n_prompt;
  for (i = 0; i < 64; ++i) {
    if (mla_context_decode(context, &batch) || mla_context_logits(&logits, context) ||
        mla_sampler_sample(&token, sampler, logits, info.n_vocab))
      goto end;
    if (mla_tokenizer_is_end_of_generation(tokenizer, token)) break;
    if (mla_text_stream_push(&text, NULL, stream, token)) goto end;
    fputs(text, stdout), fflush(stdout);
    batch.tokens = &token; /* what was sampled follows what is in the cache */
    batch.n = 1;
  }
  if (mla_text_stream_finish(&text, NULL, stream)) goto end;
  puts(text);
  status = ferror(stdout) || fflush(stdout);
end:
  if (status) fprintf(stderr, "%s: %s\n", argv[0], ferror(stdout) ? "cannot write the text" : mla_last_error());
  mla_free(prompt);
  mla_text_stream_free(stream), mla_sampler_free(sampler), mla_context_free(context), mla_model_free(model);
  return status;
}
