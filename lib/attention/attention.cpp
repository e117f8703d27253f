#include "attention/attention.hpp"

#include <algorithm>
#include <bit>

#include "attention/in_place.hpp"
#include "kernels/matmul.hpp"

namespace mla::attention {

Params local(Params p, const platform::Executor& executor) noexcept {
  for (kernels::MatrixStack* stack : {&p.weights.k_b, &p.weights.v_b, &p.weights.k_nope}) stack->first = kernels::local(stack->first, executor);
  return p;
}

Form choose_form(AttentionMode mode, const CacheShape& s, int n_queries, int n_keys) noexcept {
  if (mode == AttentionMode::deepseek2) return Form::expanded;
  if (mode == AttentionMode::deepseek_mla) return Form::absorbed;
  // Multiply-adds per head. Both forms also pass n·R·(N+V) through the per-head matrices: the expanded one for every key,
  // the absorbed one for every query.
  const double n = n_queries, d = n_keys;
  const double pairs = n * d + n * n / 2;
  const double through_latent = static_cast<double>(s.n_latent) * (s.n_nope + s.n_value);
  const double expanded = pairs * (s.n_nope + s.n_rope + s.n_value) + (n + d) * through_latent;
  const double absorbed = pairs * (2.0 * s.n_latent + s.n_rope) + n * through_latent;
  return expanded <= absorbed ? Form::expanded : Form::absorbed;
}

Attention::Attention(const CacheShape& shape, AttentionMode mode, const std::shared_ptr<Allocator>& allocator) : mode_(mode) {
  const std::size_t floats = mode == AttentionMode::deepseek2 ? in_place_workspace_floats(shape) : absorbed_workspace_floats(shape);
  workspace_ = platform::Buffer(allocator, floats * sizeof(float), "attention workspace");
}

std::size_t Attention::scratch_floats(const CacheShape& shape, int n_ubatch) noexcept {
  return std::max({expanded_scratch_floats(shape, n_ubatch), absorbed_scratch_floats(shape), in_place_scratch_floats(shape)});
}

void Attention::run(const Params& p, platform::Executor& executor) {
  const auto is_expanded = [&](const SequenceRows& rows) {
    int n_keys = -rows.n_rows;  // cached before this ubatch
    for (const cache::PageView& page : rows.pages) n_keys += std::popcount(page.live);
    return choose_form(mode_, p.shape, rows.n_rows, n_keys) == Form::expanded;
  };
  for (auto next = p.sequences.begin(); next != p.sequences.end();) {
    const auto end = std::find_if(next, p.sequences.end(), is_expanded);
    if (next != end) absorbed_form(p, {next, end}, workspace_.as<float>(), executor);
    next = end;
    if (next == p.sequences.end()) break;
    if (suits_in_place(p, *next))
      in_place_form(p, *next, workspace_.as<float>(), executor);
    else
      expanded_form(p, *next, executor);
    ++next;
  }
}

}  // namespace mla::attention
