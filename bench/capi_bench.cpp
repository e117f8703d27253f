// mla-bench-capi: what the C interface costs at generation: its loop and that of C++, in turns, on the same file and the same threads'
// number.
#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>

#include <mla/mla.h>
#include <mla/mla.hpp>

#include "common/model_options.hpp"
#include "common/program.hpp"

namespace {

constexpr mla_token prompt[] = {0, 11, 12, 13};

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void require(mla_status status) {
  if (status != MLA_OK) throw mla::Error(static_cast<mla::Status>(status), mla_last_error());
}

/// Seconds from the end of the prompt to the last token: sample, accept, text, decode.
double cpp_loop(mla::Context& context, int n) {
  mla::Sampler sampler;
  mla::TextStream stream(context.model()->tokenizer());
  std::string text;
  context.cache().clear();
  context.decode(mla::Batch::of({std::begin(prompt), std::end(prompt)}));
  mla::Batch batch;
  return seconds([&] {
    for (int i = 0; i < n; ++i) {
      const mla::Token token = sampler.sample(context.logits());
      sampler.accept(token);
      text += stream.push(token);
      batch.clear();
      batch.add(token, context.cache().seq_pos_max(0) + 1, 0, true);
      context.decode(batch);
    }
  });
}

double c_loop(mla_context* context, const mla_tokenizer* tokenizer, int n) {
  mla_sampler* sampler = nullptr;
  mla_text_stream* stream = nullptr;
  require(mla_sampler_new(&sampler, nullptr));
  require(mla_text_stream_new(&stream, tokenizer, 0));
  std::string text;
  mla_batch batch = MLA_BATCH_INIT;
  batch.n = std::size(prompt), batch.tokens = prompt;
  require(mla_kv_cache_clear(mla_context_cache(context)));
  require(mla_context_decode(context, &batch));
  const int n_vocab = mla_tokenizer_size(tokenizer);
  const double taken = seconds([&] {
    mla_token token;
    batch.n = 1, batch.tokens = &token;
    for (int i = 0; i < n; ++i) {
      const float* logits = nullptr;
      const char* piece = nullptr;
      require(mla_context_logits(&logits, context));
      require(mla_sampler_sample(&token, sampler, logits, n_vocab));
      require(mla_sampler_accept(sampler, token));
      require(mla_text_stream_push(&piece, nullptr, stream, token));
      text += piece;
      require(mla_context_decode(context, &batch));
    }
  });
  mla_text_stream_free(stream), mla_sampler_free(sampler);
  return taken;
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("What the C interface costs at generation, against C++.", "mla-bench-capi");
  program::ModelFlags flags;
  int n = 64, repetitions = 50;
  program::add_model_flags(app, flags, "tokens of prompt and text together; default 4096", true);
  app.add_option("-n,--n-predict", n, "tokens to generate")->check(program::whole_number(1, 1 << 20))->capture_default_str();
  app.add_option("-r,--repetitions", repetitions, "turns")->check(program::whole_number(1, 1 << 20))->capture_default_str();
  return program::run(app, argc, argv, [&] {
    const int n_ctx = flags.n_ctx > 0 ? flags.n_ctx : 4096;
    mla::Context cpp(program::load_model(flags), program::context_options(flags, n_ctx));
    mla_model* model = nullptr;
    mla_context* c = nullptr;
    const mla_tokenizer* tokenizer = nullptr;
    require(mla_model_load(&model, program::model_path(flags).c_str(), nullptr));
    require(mla_model_tokenizer(&tokenizer, model));
    mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
    options.n_ctx = n_ctx, options.n_threads = cpp.n_threads();
    require(mla_context_new(&c, model, &options));
    std::vector<double> in_cpp, in_c, ratios;
    for (int i = -2; i < repetitions; ++i) {  // two turns to warm up
      const double first = i % 2 == 0 ? cpp_loop(cpp, n) : c_loop(c, tokenizer, n),
                   second = i % 2 == 0 ? c_loop(c, tokenizer, n) : cpp_loop(cpp, n);
      if (i < 0) continue;
      in_cpp.push_back((i % 2 == 0 ? first : second) / n), in_c.push_back((i % 2 == 0 ? second : first) / n);
      ratios.push_back(in_c.back() / in_cpp.back());
    }
    mla_context_free(c), mla_model_free(model);
    std::cout << "C++ " << 1e6 * median(in_cpp) << " µs a token, C " << 1e6 * median(in_c) << " µs; C takes " << 100 * (median(ratios) - 1)
              << " % more (medians of " << repetitions << " turns of " << n << " tokens)\n";
  });
}
