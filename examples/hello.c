/* Continues a text, in C, with nothing but libmla.so:  mla-hello MODEL.gguf "Once upon a time" */
#include <mla/mla.h>
#include <stdio.h>

int main(int argc, char **argv) {
  mla_model *model = NULL;
  mla_context *context = NULL;
  mla_sampler *sampler = NULL;
  mla_text_stream *stream = NULL;
  const mla_tokenizer *tokenizer;
  mla_batch batch = MLA_BATCH_INIT;
  mla_step step = MLA_STEP_INIT;
  mla_token *prompt = NULL;
  size_t n_prompt;
  const char *text;
  int i, status = 1;

  if (argc != 3) return fprintf(stderr, "usage: %s MODEL.gguf PROMPT\n", argv[0]), 2;
  if (mla_model_load(&model, argv[1], NULL) || mla_model_tokenizer(&tokenizer, model) ||
      mla_context_new(&context, model, NULL) || mla_sampler_new(&sampler, NULL) ||
      mla_text_stream_new(&stream, tokenizer, 0) ||
      mla_tokenizer_encode(&prompt, &n_prompt, tokenizer, argv[2], MLA_NUL_TERMINATED, MLA_ENCODE_DEFAULT))
    goto end;

  fputs(argv[2], stdout);
  batch.tokens = prompt;
  batch.n = (int32_t)n_prompt;
  if (mla_context_decode(context, &batch)) goto end;
  step.sampler = sampler, step.stream = stream;
  for (i = 0; i < 64; ++i) {
    if (mla_context_step(&step, context)) goto end;
    if (step.end) break;
    fputs(step.text, stdout), fflush(stdout);
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
