// Plain attention of a query or two on an expanded cache: rows are used where they are, because packing them for a matrix product would
// cost more than the products.
#pragma once
#include <span>

#include "attention/attention.hpp"

namespace mla::attention {

/// Whether it can be used, and is the faster way: few queries.
bool suits_in_place(const Params& p, const SequenceRows& rows) noexcept;

void in_place_form(const Params& p, std::span<const SequenceRows> sequences, std::span<float> workspace, platform::Executor& executor);
std::size_t in_place_workspace_floats(const CacheShape& shape) noexcept;
std::size_t in_place_scratch_floats(const CacheShape& shape) noexcept;

}  // namespace mla::attention
