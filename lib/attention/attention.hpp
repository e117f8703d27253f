// Multi-head Latent Attention over the KV cache, in its two equivalent forms (DeepSeek-V2 paper, section 2.1; docs/attention.md).
#pragma once
#include <mla/kv_cache.hpp>
#include <mla/types.hpp>
#include <memory>
#include <optional>
#include <span>

#include "attention/latent_weights.hpp"
#include "attention/plan.hpp"
#include "cache/kv_cache_impl.hpp"
#include "platform/executor.hpp"
#include "platform/memory.hpp"

namespace mla::attention {

/// The queries of one sequence in the ubatch, and the keys they may see.
struct SequenceRows {
  int first_row;  ///< of the ubatch; a sequence's rows stand together
  int n_rows;
  std::span<const cache::PageView> pages;
};

struct Params {
  CacheShape shape;
  CacheLayout layout;
  const cache::RowFormat* row_format;
  std::size_t layer_offset;  ///< bytes from a page's begin to this layer's rows
  LatentWeights weights;
  const float* q;             ///< [n_tokens, n_heads, n_nope + n_rope], rotated, times the score scale
  const Position* positions;  ///< [n_tokens]
  std::span<const SequenceRows> sequences;
  float* out;  ///< [n_tokens, n_heads, n_value]
};

/// Whether products are made in floats: f32 rows, unless sums need a fixed order, which floats through oneDNN don't have.
inline bool in_floats(const Params& p, const platform::Executor& executor) noexcept {
  return p.row_format->key.type == CacheType::f32 && !executor.fixed_order();
}

enum class Form { expanded, absorbed };

/// What decides between the forms.
struct Planning {
  AttentionMode mode = AttentionMode::automatic;
  std::optional<AttentionRates> rates;           ///< given by the host
  std::shared_ptr<KnownRates> known = nullptr;   ///< where else they are looked up, and kept once measured
};

/// Attention of one layer for a whole ubatch: each sequence by the cheaper form, those in absorbed form together. The mode may leave no choice.
class Attention {
 public:
  /// Takes the memory that work split along keys needs between its steps.
  Attention(const CacheShape& shape, Planning planning, const std::shared_ptr<Allocator>& allocator);

  /// Scratch per thread, in floats.
  static std::size_t scratch_floats(const CacheShape& shape, int n_ubatch) noexcept;

  void run(const Params& p, platform::Executor& executor);

  /// None until they were needed.
  const std::optional<AttentionRates>& rates() const noexcept { return rates_; }

 private:
  Form form_of(const Params& p, const SequenceRows& rows, platform::Executor& executor);

  Planning planning_;
  std::optional<AttentionRates> rates_;
  platform::Buffer workspace_;
};

// The two forms, for sequences that are neighbours in the ubatch, and the memory that each needs: per thread, and for
// the whole.
std::size_t expanded_scratch_floats(const CacheShape& shape, int n_ubatch) noexcept;
std::size_t absorbed_scratch_floats(const CacheShape& shape) noexcept;
void expanded_form(const Params& p, std::span<const SequenceRows> sequences, platform::Executor& executor);
void absorbed_form(const Params& p, std::span<const SequenceRows> sequences, std::span<float> workspace, platform::Executor& executor);
std::size_t absorbed_workspace_floats(const CacheShape& shape) noexcept;

}  // namespace mla::attention
