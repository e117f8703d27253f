#include "engine/forward.hpp"

#include <algorithm>
#include <utility>

#include "attention/latent_expansion.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/matmul.hpp"

namespace mla::engine {
namespace {

using kernels::work_of;
using platform::Op;

std::int64_t widest_ffn(const model::Config& c) noexcept {
  return std::max<std::int64_t>(c.n_ff, std::int64_t{c.n_ff_expert} * c.n_experts_shared);
}

std::int64_t widest_row(const model::Config& c) noexcept {
  return std::max({std::int64_t{c.n_embd}, std::int64_t{c.q_lora_rank}, std::int64_t{c.shape.n_heads} * c.shape.n_value,
                   std::int64_t{c.shape.n_latent}, std::int64_t{c.shape.n_nope}, widest_ffn(c), std::int64_t{c.n_ff_expert}});
}

}  // namespace

Forward::Forward(const model::LoadedModel& model, const ContextOptions& o, const std::shared_ptr<Allocator>& allocator)
    : model_(model), rope_(model.config.rope), attention_(model.config.shape, {o.attention, o.attention_rates, model.attention_rates}, allocator) {
  const model::Config& c = model.config;
  const CacheShape& s = c.shape;
  if (c.router.n_experts > 0) experts_.emplace(c.router, c.n_embd, c.n_ff_expert, o.n_ubatch, allocator);

  const std::int64_t q_width = std::int64_t{s.n_heads} * (s.n_nope + s.n_rope), v_width = std::int64_t{s.n_heads} * s.n_value;
  const std::int64_t heads_kv = o.attention == AttentionMode::deepseek2 ? std::int64_t{s.n_heads} * (s.n_nope + s.n_value) : 0;
  const std::int64_t widths[] = {c.n_embd, c.n_embd, c.n_embd, c.q_lora_rank, q_width, s.n_latent + s.n_rope,
                                 heads_kv, v_width,  widest_ffn(c), widest_ffn(c)};
  float** const buffers[] = {&residual_, &normed_, &block_out_, &q_latent_, &q_, &kv_, &heads_kv_, &attended_, &hidden_, &up_};
  std::int64_t total = 0;
  for (const std::int64_t width : widths) total += width;
  const std::size_t rounded = kernels::int8_rows_bytes(o.n_ubatch, widest_row(c));
  memory_ = platform::Buffer(allocator, rounded + static_cast<std::size_t>(total) * static_cast<std::size_t>(o.n_ubatch) * sizeof(float), "activations");
  rounded_ = {memory_.data(), rounded};
  float* next = reinterpret_cast<float*>(memory_.data() + rounded);
  for (std::size_t i = 0; i < std::size(widths); ++i) *buffers[i] = std::exchange(next, next + widths[i] * o.n_ubatch);
}

std::size_t Forward::scratch_floats(const model::LoadedModel& model, int n_ubatch) noexcept {
  return std::max(kernels::matmul_scratch_floats(widest_row(model.config)),
                  attention::Attention::scratch_floats(model.config.shape, n_ubatch));
}

void Forward::run(const Ubatch& ubatch, KvCache::Impl& cache, float* logits, float* embeddings, platform::Executor& executor) {
  executor.ops().start();
  rope_.angles(ubatch.positions, cosines_, sines_);
  executor.ops().lap(Op::rope);
  embed(ubatch, executor);
  for (int layer = 0; layer < model_.config.shape.n_layers; ++layer) {
    const model::LayerWeights& w = model_.layers[static_cast<std::size_t>(layer)];
    attention_block(w, layer, ubatch, cache, executor);
    feed_forward_block(w, layer, ubatch.n_tokens(), executor);
  }
  output(ubatch, logits, embeddings, executor);
}

// y = w · x for n tokens, rows of x and y as wide as the matrix.
void Forward::multiply(const float* x, std::int64_t n, const kernels::Matrix& w, float* y, platform::Executor& executor) {
  kernels::matmul({x, w.cols, n, w, y, w.rows}, rounded_, executor);
}

void Forward::embed(const Ubatch& ubatch, platform::Executor& executor) {
  const std::int64_t n_embd = model_.config.n_embd;
  if (!ubatch.embeddings.empty()) {
    std::ranges::copy(ubatch.embeddings, residual_);
    return executor.ops().lap(Op::embed);
  }
  const kernels::Matrix& table = model_.token_embedding;
  executor.parallel_for(ubatch.n_tokens(), [&](int t, int) {
    kernels::dequantize_part(table, ubatch.tokens[static_cast<std::size_t>(t)], 0, n_embd, residual_ + t * n_embd);
  });
  executor.ops().lap(Op::embed, {static_cast<std::uint64_t>(ubatch.n_tokens()) * table.row_bytes, 0});
}

// residual += W_o · attention(norm(residual))
void Forward::attention_block(const model::LayerWeights& w, int layer, const Ubatch& ubatch, KvCache::Impl& cache,
                              platform::Executor& executor) {
  const model::Config& c = model_.config;
  const std::int64_t n_embd = c.n_embd, n = ubatch.n_tokens();
  executor.parallel_for(static_cast<int>(n), [&](int t, int) {
    kernels::rms_norm(residual_ + t * n_embd, w.attention_norm, c.rms_eps, normed_ + t * n_embd, n_embd);
  });
  executor.ops().lap(Op::norm);
  project_queries(w, ubatch, executor);
  project_latents(w, ubatch, executor);
  store_rows(w, layer, ubatch, cache, executor);
  attention_.run({c.shape, cache.options.layout, &cache.format, static_cast<std::size_t>(layer) * cache.layer_bytes(), w.latent, q_,
                  ubatch.positions.data(), ubatch.sequences, attended_},
                 executor);
  multiply(attended_, n, w.attention_out, block_out_, executor);
  executor.ops().lap(Op::kqv_out, work_of(w.attention_out, n));
  executor.parallel_for(static_cast<int>(n), [&](int t, int) { kernels::add_scaled(residual_ + t * n_embd, block_out_ + t * n_embd, 1.0f, n_embd); });
  executor.ops().lap(Op::residual);
}

// q = W_q · h, or W_qb · norm(W_qa · h); rotated, and multiplied with the scale of the scores.
void Forward::project_queries(const model::LayerWeights& w, const Ubatch& ubatch, platform::Executor& executor) {
  const model::Config& c = model_.config;
  const CacheShape& s = c.shape;
  const std::int64_t n = ubatch.n_tokens(), head_width = s.n_nope + s.n_rope, q_width = s.n_heads * head_width, pairs = s.n_rope / 2;
  if (c.q_lora_rank == 0) {
    multiply(normed_, n, w.q, q_, executor);
    executor.ops().lap(Op::q, work_of(w.q, n));
  } else {
    const std::int64_t rank = c.q_lora_rank;
    multiply(normed_, n, w.q_a, q_latent_, executor);
    executor.ops().lap(Op::q, work_of(w.q_a, n));
    executor.parallel_for(static_cast<int>(n), [&](int t, int) {
      kernels::rms_norm(q_latent_ + t * rank, w.q_a_norm, c.rms_eps, q_latent_ + t * rank, rank);
    });
    executor.ops().lap(Op::norm);
    multiply(q_latent_, n, w.q_b, q_, executor);
    executor.ops().lap(Op::q, work_of(w.q_b, n));
  }
  if (executor.observer() != nullptr)  // whichever form attention will take: k_b's input is the same
    for (int head = 0; head < s.n_heads; ++head)
      executor.observer()->observe(w.latent.k_b.first.data, head, q_ + head * head_width, q_width, n, executor);
  const float scale = c.score_scale();
  executor.parallel_for(static_cast<int>(n), [&](int t, int) {
    float* q = q_ + t * q_width;
    for (std::int64_t i = 0; i < q_width; ++i) q[i] *= scale;
    for (int head = 0; head < s.n_heads; ++head)
      kernels::rope_interleaved(q + head * head_width + s.n_nope, cosines_.data() + t * pairs, sines_.data() + t * pairs, pairs);
  });
  executor.ops().lap(Op::rope);
}

// (c, k_pe) = W_kva · h; the norm is for c alone, the rotation for k_pe alone.
void Forward::project_latents(const model::LayerWeights& w, const Ubatch& ubatch, platform::Executor& executor) {
  const model::Config& c = model_.config;
  const CacheShape& s = c.shape;
  const std::int64_t n = ubatch.n_tokens(), width = s.n_latent + s.n_rope, pairs = s.n_rope / 2;
  multiply(normed_, n, w.kv_a, kv_, executor);
  executor.ops().lap(Op::kv_a, work_of(w.kv_a, n));
  executor.parallel_for(static_cast<int>(n), [&](int t, int) {
    float* latent = kv_ + t * width;
    kernels::rms_norm(latent, w.kv_a_norm, c.rms_eps, latent, s.n_latent);
    kernels::rope_interleaved(latent + s.n_latent, cosines_.data() + t * pairs, sines_.data() + t * pairs, pairs);
  });
  executor.ops().lap(Op::rope);
}

void Forward::store_rows(const model::LayerWeights& w, int layer, const Ubatch& ubatch, KvCache::Impl& cache, platform::Executor& executor) {
  const CacheShape& s = model_.config.shape;
  const std::int64_t n = ubatch.n_tokens(), width = s.n_latent + s.n_rope;
  const std::int64_t k_width = std::int64_t{s.n_heads} * s.n_nope, v_width = std::int64_t{s.n_heads} * s.n_value;
  const bool expanded = cache.options.layout == CacheLayout::expanded;
  // kv_b may have no matrix of its own in memory: it goes by the address of its parts.
  if (executor.observer() != nullptr) executor.observer()->observe(&w.latent, 0, kv_, width, n, executor);
  float* const values = heads_kv_ + n * k_width;
  if (expanded) {
    executor.parallel_for(s.n_heads, [&](int head, int thread) {
      attention::LatentExpansion(attention::local(w.latent, executor), s, head, executor.scratch(thread))
          .run(kv_, width, static_cast<int>(n), heads_kv_ + std::int64_t{head} * s.n_nope, k_width, values + std::int64_t{head} * s.n_value, v_width);
    });
    executor.ops().lap(Op::kv_b, attention::expansion_work(w.latent, n) * static_cast<std::uint64_t>(s.n_heads));
  }
  executor.parallel_for(static_cast<int>(n), [&](int t, int) {
    std::byte* row = cache.row(ubatch.rows[static_cast<std::size_t>(t)], layer);
    cache::write_part(cache.format.key, expanded ? heads_kv_ + t * k_width : kv_ + t * width, row);
    cache::write_part(cache.format.rope, kv_ + t * width + s.n_latent, row);
    if (expanded) cache::write_part(cache.format.value, values + t * v_width, row);
  });
  executor.ops().lap(Op::cache, {static_cast<std::uint64_t>(n) * cache.format.bytes, 0});
}

// residual += ffn(norm(residual)): dense, or the shared expert and the routed ones.
void Forward::feed_forward_block(const model::LayerWeights& w, int layer, int n_tokens, platform::Executor& executor) {
  const model::Config& c = model_.config;
  const std::int64_t n_embd = c.n_embd;
  executor.parallel_for(n_tokens, [&](int t, int) {
    kernels::rms_norm(residual_ + t * n_embd, w.ffn_norm, c.rms_eps, normed_ + t * n_embd, n_embd);
  });
  executor.ops().lap(Op::norm);
  if (w.dense.gate) {
    const layers::FfnOps ops = c.has_experts(layer) ? layers::FfnOps{Op::shared_gate_up, Op::shared_down} : layers::FfnOps{Op::dense_gate_up, Op::dense_down};
    layers::ffn(w.dense, normed_, n_tokens, block_out_, {hidden_, up_, rounded_}, ops, executor);
    executor.parallel_for(n_tokens, [&](int t, int) { kernels::add_scaled(residual_ + t * n_embd, block_out_ + t * n_embd, 1.0f, n_embd); });
    executor.ops().lap(Op::residual);
  }
  if (c.has_experts(layer)) experts_->run(w.experts, normed_, n_tokens, residual_, executor);
}

void Forward::normed_rows(std::span<const int> rows, float* out) const {
  const std::int64_t n_embd = model_.config.n_embd;
  for (const int row : rows) {
    kernels::rms_norm(residual_ + row * n_embd, model_.output_norm, model_.config.rms_eps, out, n_embd);
    out += n_embd;
  }
}

void Forward::output(const Ubatch& ubatch, float* logits, float* embeddings, platform::Executor& executor) {
  const auto n = static_cast<std::int64_t>(ubatch.logit_rows.size());
  normed_rows(ubatch.embedding_rows, embeddings);
  normed_rows(ubatch.logit_rows, normed_);
  executor.ops().lap(Op::norm);
  multiply(normed_, n, model_.output, logits, executor);
  if (n > 0) executor.ops().lap(Op::output, work_of(model_.output, n));
}

}  // namespace mla::engine
