// k_b from kv_b, for files of the original layout.
#pragma once
#include <mla/kv_cache.hpp>
#include <vector>

#include "kernels/matrix.hpp"
#include "platform/memory.hpp"

namespace mla::model {

/// Transposes each head's [n_nope, n_latent] into [n_latent, n_nope]. Rows are then n_nope wide, which the 256-value blocks
/// of K-types can't hold: a quantised source gives Q8_0 (F16 where n_nope isn't a multiple of 32), a float one its own type.
kernels::MatrixStack derive_k_b(const kernels::MatrixStack& k_nope, const std::shared_ptr<Allocator>& allocator,
                                std::vector<platform::Buffer>& owned);

/// Bytes that it takes.
std::uint64_t derived_k_b_bytes(quant::Type source, const CacheShape& shape);

}  // namespace mla::model
