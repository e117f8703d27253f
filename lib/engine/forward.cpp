#include "engine/forward.hpp"

#include <algorithm>

#include "attention/latent_expansion.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/matmul.hpp"
#include "platform/fail.hpp"

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

moe::ExpertSizes expert_sizes(const model::Config& c, int n_ubatch) noexcept { return {c.router, c.n_embd, c.n_ff_expert, n_ubatch}; }

platform::Buffer activations(const model::Config& config, const ContextOptions& o, const std::shared_ptr<Allocator>& allocator) {
  platform::Scratch counter;
  const Buffers counted(config, o, counter);
  return platform::Buffer(allocator, counter.floats() * sizeof(float), "activations");
}

}  // namespace

int largest_ubatch(const ContextOptions& o) {
  if (o.n_ubatch < 1 || o.n_ubatch > (1 << 16)) fail(Status::invalid_argument, "n_ubatch is {}: use 1 to 65536", o.n_ubatch);
  return std::clamp(o.cache ? o.cache->options().n_ctx : o.n_ctx, 1, o.n_ubatch);
}

Buffers::Buffers(const model::Config& c, const ContextOptions& o, platform::Scratch& memory) {
  const CacheShape& s = c.shape;
  const std::int64_t n = o.n_ubatch, heads = s.n_heads;
  std::size_t rounded_bytes = kernels::int8_rows_bytes(n, widest_row(c));
  if (c.router.n_experts > 0) rounded_bytes = std::max(rounded_bytes, moe::ExpertBuffers::rounded_bytes(expert_sizes(c, o.n_ubatch)));
  for (float** buffer : {&residual, &normed, &block_out}) *buffer = memory.take<float>(n * c.n_embd);
  rounded = {memory.take<std::byte>(static_cast<std::int64_t>(rounded_bytes)), rounded_bytes};

  platform::Scratch attention = memory, dense = memory, routed = memory;
  q_latent = attention.take<float>(n * c.q_lora_rank);
  q = attention.take<float>(n * heads * (s.n_nope + s.n_rope));
  kv = attention.take<float>(n * (s.n_latent + s.n_rope));
  heads_kv = o.attention == AttentionMode::deepseek2 ? attention.take<float>(n * heads * (s.n_nope + s.n_value)) : nullptr;
  attended = attention.take<float>(n * heads * s.n_value);
  hidden = dense.take<float>(n * widest_ffn(c));
  if (c.router.n_experts > 0) experts.emplace(expert_sizes(c, o.n_ubatch), routed);
  memory = std::max({attention, dense, routed}, [](const platform::Scratch& a, const platform::Scratch& b) { return a.floats() < b.floats(); });
}

Forward::Forward(const model::LoadedModel& model, const ContextOptions& o, const std::shared_ptr<Allocator>& allocator)
    : model_(model),
      rope_(model.config.rope),
      attention_(model.config.shape, {o.attention, o.attention_rates, model.attention_rates}, allocator),
      memory_(activations(model.config, o, allocator)),
      buffers_([&] {
        platform::Scratch memory(memory_.as<float>());
        return Buffers(model.config, o, memory);
      }()) {
  if (buffers_.experts) experts_.emplace(expert_sizes(model.config, o.n_ubatch), *buffers_.experts, buffers_.rounded);
}

std::size_t Forward::scratch_floats(const model::LoadedModel& model, int n_ubatch) noexcept {
  return std::max({kernels::matmul_scratch_floats(widest_row(model.config)), layers::gated_scratch_floats(model.config.n_embd, n_ubatch),
                   attention::Attention::scratch_floats(model.config.shape, n_ubatch)});
}

void Forward::run(const Ubatch& ubatch, KvCache::Impl& cache, float* logits, float* embeddings, platform::Executor& executor) {
  executor.ops().start();
  rope_.angles(ubatch.positions, cosines_, sines_);
  executor.ops().lap(Op::rope);
  embed(ubatch, executor);
  Ubatch left = ubatch;
  for (int layer = 0; layer < model_.config.shape.n_layers; ++layer) {
    const model::LayerWeights& w = model_.layers[static_cast<std::size_t>(layer)];
    write_rows(w, layer, left, cache, executor);
    if (layer == model_.config.shape.n_layers - 1 && executor.observer() == nullptr) left = drop_unwanted(ubatch);
    if (left.n_tokens() == 0) return;
    attention_block(w, layer, left, cache, executor);
    feed_forward_block(w, layer, left.n_tokens(), executor);
  }
  output(left, logits, embeddings, executor);
}

// y = w · x for n tokens, rows of x and y as wide as the matrix.
void Forward::multiply(const float* x, std::int64_t n, const kernels::Matrix& w, float* y, platform::Executor& executor) {
  kernels::matmul({x, w.cols, n, w, y, w.rows}, buffers_.rounded, executor);
}

void Forward::embed(const Ubatch& ubatch, platform::Executor& executor) {
  const std::int64_t n_embd = model_.config.n_embd;
  if (!ubatch.embeddings.empty()) {
    std::ranges::copy(ubatch.embeddings, buffers_.residual);
    return executor.ops().lap(Op::embed);
  }
  const kernels::Matrix& table = model_.token_embedding;
  executor.parallel_for(ubatch.n_tokens(), [&](int t, int) {
    kernels::dequantize_part(table, ubatch.tokens[static_cast<std::size_t>(t)], 0, n_embd, buffers_.residual + t * n_embd);
  });
  executor.ops().lap(Op::embed, {static_cast<std::uint64_t>(ubatch.n_tokens()) * table.row_bytes, 0});
}

// Nothing reads the last layer's state of a row without logits or embedding.
Ubatch Forward::drop_unwanted(const Ubatch& ubatch) {
  wanted_.find(ubatch);
  if (std::ssize(wanted_.rows()) == ubatch.n_tokens()) return ubatch;
  const model::Config& c = model_.config;
  for (float* const table : {buffers_.residual, buffers_.normed}) wanted_.gather(table, c.n_embd);
  for (std::vector<float>* const table : {&cosines_, &sines_}) wanted_.gather(table->data(), c.shape.n_rope / 2);
  return wanted_.view();
}

// The cache's rows of norm(residual), which `normed` then has.
void Forward::write_rows(const model::LayerWeights& w, int layer, const Ubatch& ubatch, KvCache::Impl& cache, platform::Executor& executor) {
  const model::Config& c = model_.config;
  const std::int64_t n_embd = c.n_embd;
  executor.parallel_for(ubatch.n_tokens(), [&](int t, int) {
    kernels::rms_norm(buffers_.residual + t * n_embd, w.attention_norm, c.rms_eps, buffers_.normed + t * n_embd, n_embd);
  });
  executor.ops().lap(Op::norm);
  project_latents(w, ubatch, executor);
  store_rows(w, layer, ubatch, cache, executor);
}

// residual += W_o · attention(normed)
void Forward::attention_block(const model::LayerWeights& w, int layer, const Ubatch& ubatch, KvCache::Impl& cache,
                              platform::Executor& executor) {
  const model::Config& c = model_.config;
  const std::int64_t n_embd = c.n_embd, n = ubatch.n_tokens();
  project_queries(w, ubatch, executor);
  attention_.run({c.shape, cache.options.layout, &cache.format, static_cast<std::size_t>(layer) * cache.layer_bytes(), w.latent, buffers_.q,
                  ubatch.positions.data(), ubatch.sequences, buffers_.attended},
                 executor);
  multiply(buffers_.attended, n, w.attention_out, buffers_.block_out, executor);
  executor.ops().lap(Op::kqv_out, work_of(w.attention_out, n));
  executor.parallel_for(static_cast<int>(n), [&](int t, int) { kernels::add_scaled(buffers_.residual + t * n_embd, buffers_.block_out + t * n_embd, 1.0f, n_embd); });
  executor.ops().lap(Op::residual);
}

// q = W_q · h, or W_qb · norm(W_qa · h); rotated, and multiplied with the scale of the scores.
void Forward::project_queries(const model::LayerWeights& w, const Ubatch& ubatch, platform::Executor& executor) {
  const model::Config& c = model_.config;
  const CacheShape& s = c.shape;
  const std::int64_t n = ubatch.n_tokens(), head_width = s.n_nope + s.n_rope, q_width = s.n_heads * head_width, pairs = s.n_rope / 2;
  if (c.q_lora_rank == 0) {
    multiply(buffers_.normed, n, w.q, buffers_.q, executor);
    executor.ops().lap(Op::q, work_of(w.q, n));
  } else {
    const std::int64_t rank = c.q_lora_rank;
    multiply(buffers_.normed, n, w.q_a, buffers_.q_latent, executor);
    executor.ops().lap(Op::q, work_of(w.q_a, n));
    executor.parallel_for(static_cast<int>(n), [&](int t, int) {
      kernels::rms_norm(buffers_.q_latent + t * rank, w.q_a_norm, c.rms_eps, buffers_.q_latent + t * rank, rank);
    });
    executor.ops().lap(Op::norm);
    multiply(buffers_.q_latent, n, w.q_b, buffers_.q, executor);
    executor.ops().lap(Op::q, work_of(w.q_b, n));
  }
  if (executor.observer() != nullptr)  // whichever form attention will take: k_b's input is the same
    for (int head = 0; head < s.n_heads; ++head)
      executor.observer()->observe(w.latent.k_b.first.data, head, buffers_.q + head * head_width, q_width, n, executor);
  const float scale = c.score_scale();
  executor.parallel_for(static_cast<int>(n), [&](int t, int) {
    float* q = buffers_.q + t * q_width;
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
  multiply(buffers_.normed, n, w.kv_a, buffers_.kv, executor);
  executor.ops().lap(Op::kv_a, work_of(w.kv_a, n));
  executor.parallel_for(static_cast<int>(n), [&](int t, int) {
    float* latent = buffers_.kv + t * width;
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
  if (executor.observer() != nullptr) executor.observer()->observe(&w.latent, 0, buffers_.kv, width, n, executor);
  float* const values = buffers_.heads_kv + n * k_width;
  if (expanded) {
    executor.parallel_for(s.n_heads, [&](int head, int thread) {
      attention::LatentExpansion(attention::local(w.latent, executor), s, head, executor.scratch(thread))
          .run(buffers_.kv, width, static_cast<int>(n), buffers_.heads_kv + std::int64_t{head} * s.n_nope, k_width, values + std::int64_t{head} * s.n_value, v_width);
    });
    executor.ops().lap(Op::kv_b, attention::expansion_work(w.latent, n) * static_cast<std::uint64_t>(s.n_heads));
  }
  executor.parallel_for(static_cast<int>(n), [&](int t, int) {
    std::byte* row = cache.row(ubatch.rows[static_cast<std::size_t>(t)], layer);
    cache::write_part(cache.format.key, expanded ? buffers_.heads_kv + t * k_width : buffers_.kv + t * width, row);
    cache::write_part(cache.format.rope, buffers_.kv + t * width + s.n_latent, row);
    if (expanded) cache::write_part(cache.format.value, values + t * v_width, row);
  });
  executor.ops().lap(Op::cache, {static_cast<std::uint64_t>(n) * cache.format.bytes, 0});
}

// residual += ffn(norm(residual)): dense, or the shared expert and the routed ones.
void Forward::feed_forward_block(const model::LayerWeights& w, int layer, int n_tokens, platform::Executor& executor) {
  const model::Config& c = model_.config;
  const std::int64_t n_embd = c.n_embd;
  executor.parallel_for(n_tokens, [&](int t, int) {
    kernels::rms_norm(buffers_.residual + t * n_embd, w.ffn_norm, c.rms_eps, buffers_.normed + t * n_embd, n_embd);
  });
  executor.ops().lap(Op::norm);
  if (w.dense.gate) {
    const layers::FfnOps ops = c.has_experts(layer) ? layers::FfnOps{Op::shared_gate_up, Op::shared_down} : layers::FfnOps{Op::dense_gate_up, Op::dense_down};
    layers::ffn(w.dense, buffers_.normed, n_tokens, buffers_.block_out, {buffers_.hidden, buffers_.rounded}, ops, executor);
    executor.parallel_for(n_tokens, [&](int t, int) { kernels::add_scaled(buffers_.residual + t * n_embd, buffers_.block_out + t * n_embd, 1.0f, n_embd); });
    executor.ops().lap(Op::residual);
  }
  if (c.has_experts(layer)) experts_->run(w.experts, buffers_.normed, n_tokens, buffers_.residual, executor);
}

void Forward::normed_rows(std::span<const int> rows, float* out) const {
  const std::int64_t n_embd = model_.config.n_embd;
  for (const int row : rows) {
    kernels::rms_norm(buffers_.residual + row * n_embd, model_.output_norm, model_.config.rms_eps, out, n_embd);
    out += n_embd;
  }
}

void Forward::output(const Ubatch& ubatch, float* logits, float* embeddings, platform::Executor& executor) {
  const auto n = static_cast<std::int64_t>(ubatch.logit_rows.size());
  normed_rows(ubatch.embedding_rows, embeddings);
  normed_rows(ubatch.logit_rows, buffers_.normed);
  executor.ops().lap(Op::norm);
  multiply(buffers_.normed, n, model_.output, logits, executor);
  if (n > 0) executor.ops().lap(Op::output, work_of(model_.output, n));
}

}  // namespace mla::engine
