/* A program from outside, in C: loads a model, computes a token, and says which. */
#include <mla/mla.h>
#include <stdio.h>

int main(int argc, char **argv) {
  mla_model *model = NULL;
  mla_context *context = NULL;
  mla_sampler *sampler = NULL;
  mla_model_info info = MLA_MODEL_INFO_INIT;
  mla_sampler_options greedy = MLA_SAMPLER_OPTIONS_INIT;
  mla_batch batch = MLA_BATCH_INIT;
  const mla_token prompt[] = {300, 301, 302};
  mla_token token = -1;
  const float *logits;
  int failed;

  if (argc != 2) return 2;
  greedy.greedy = 1;
  batch.n = 3;
  batch.tokens = prompt;
  failed = mla_model_load(&model, argv[1], NULL) || mla_model_get_info(&info, model) || mla_context_new(&context, model, NULL) ||
           mla_context_decode(context, &batch) || mla_context_logits(&logits, context) || mla_sampler_new(&sampler, &greedy) ||
           mla_sampler_sample(&token, sampler, logits, info.n_vocab);
  if (failed) fprintf(stderr, "%s\n", mla_last_error());
  printf("libmla %s: token %d\n", mla_version(), (int)token);
  mla_sampler_free(sampler), mla_context_free(context), mla_model_free(model);
  return failed;
}
