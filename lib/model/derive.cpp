#include "model/derive.hpp"

#include "kernels/matmul.hpp"
#include "quant/quantize.hpp"

namespace mla::model {
namespace {

quant::Type derived_type(quant::Type source, std::int64_t width) {
  if (source == quant::Type::f8_e4m3) return quant::Type::f32;  // the transpose has other blocks, and other scales
  if (quant::traits(source).block_size == 1) return source;
  return width % quant::traits(quant::Type::q8_0).block_size == 0 ? quant::Type::q8_0 : quant::Type::f16;
}

}  // namespace

kernels::MatrixStack derive_k_b(const kernels::MatrixStack& k_nope, const std::shared_ptr<Allocator>& allocator,
                                std::vector<platform::Buffer>& owned) {
  const std::int64_t n_nope = k_nope.first.rows, n_latent = k_nope.first.cols;
  const quant::Type type = derived_type(k_nope.first.type, n_nope);
  const std::size_t row_bytes = quant::row_bytes(type, n_nope), stride = row_bytes * static_cast<std::size_t>(n_latent);
  platform::Buffer& memory = owned.emplace_back(allocator, stride * static_cast<std::size_t>(k_nope.count), "derived k_b");

  std::vector<float> head(static_cast<std::size_t>(n_nope * n_latent)), column(static_cast<std::size_t>(n_nope));
  for (std::int64_t h = 0; h < k_nope.count; ++h) {
    kernels::dequantize_matrix(k_nope[h], head.data(), n_latent);
    for (std::int64_t r = 0; r < n_latent; ++r) {
      for (std::int64_t n = 0; n < n_nope; ++n) column[static_cast<std::size_t>(n)] = head[static_cast<std::size_t>(n * n_latent + r)];
      quant::quantize(type, column.data(), memory.data() + static_cast<std::size_t>(h) * stride + static_cast<std::size_t>(r) * row_bytes, n_nope);
    }
  }
  return {{memory.data(), type, n_latent, n_nope, row_bytes}, k_nope.count, stride};
}

std::uint64_t derived_k_b_bytes(quant::Type source, const CacheShape& s) {
  return static_cast<std::uint64_t>(s.n_heads) * static_cast<std::uint64_t>(s.n_latent) * quant::row_bytes(derived_type(source, s.n_nope), s.n_nope);
}

}  // namespace mla::model
