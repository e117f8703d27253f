#include "quant/dequantize.hpp"

#include "quant/dispatch.hpp"

namespace mla::quant {

void dequantize(Type type, const void* blocks, float* out, std::int64_t n) noexcept {
  active_dequantizer(type)(blocks, out, n);
}

DequantizeFn dequantizer(Type type, platform::Isa isa) noexcept { return find_dequantizer(type, isa); }

}  // namespace mla::quant
