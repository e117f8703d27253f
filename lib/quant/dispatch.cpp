#include "quant/dispatch.hpp"

#include <array>
#include <cstddef>

#include "quant/types.hpp"

namespace mla::quant {
namespace {

struct IsaKernels {
  platform::Isa isa;
  const Kernel* kernels;
};

constexpr IsaKernels candidates[] = {
#ifdef MLA_X86
    {platform::Isa::avx512, avx512::kernels},
    {platform::Isa::avx2, avx2::kernels},
#endif
    {platform::Isa::scalar, ref::kernels},
};

template <typename Fn>
Fn find(Type type, platform::Isa isa, Fn Kernel::*operation) noexcept {
  for (const IsaKernels& candidate : candidates) {
    if (candidate.isa > isa) continue;
    for (const Kernel* k = candidate.kernels; k->dequantize != nullptr || k->dequantize_row != nullptr; ++k)
      if (k->type == type && k->*operation != nullptr) return k->*operation;
  }
  return nullptr;
}

struct Active {
  static constexpr std::size_t n_types = static_cast<std::size_t>(Type::f8_e4m3) + 1;  // the largest number in Type
  std::array<DequantizeFn, n_types> dequantize{};
  std::array<DequantizeRowFn, n_types> dequantize_row{};
  std::array<QuantizeFn, n_types> quantize{};

  Active() noexcept {
    platform::Isa isa = platform::Isa::scalar;
    try {
      isa = platform::active_isa();
    } catch (...) {  // MLA_ISA is wrong: whoever loads a model throws that error; a row conversion cannot
    }
    for (const Type type : all_types()) {
      const auto i = static_cast<std::size_t>(type);
      dequantize[i] = find_dequantizer(type, isa);
      dequantize_row[i] = find_row_dequantizer(type, isa);
      quantize[i] = find_quantizer(type, isa);
    }
  }
};

const Active& active() noexcept {
  static const Active instance;
  return instance;
}

}  // namespace

DequantizeFn find_dequantizer(Type type, platform::Isa isa) noexcept { return find(type, isa, &Kernel::dequantize); }
DequantizeRowFn find_row_dequantizer(Type type, platform::Isa isa) noexcept { return find(type, isa, &Kernel::dequantize_row); }
QuantizeFn find_quantizer(Type type, platform::Isa isa) noexcept { return find(type, isa, &Kernel::quantize); }
DequantizeFn active_dequantizer(Type type) noexcept { return active().dequantize[static_cast<std::size_t>(type)]; }
DequantizeRowFn active_row_dequantizer(Type type) noexcept { return active().dequantize_row[static_cast<std::size_t>(type)]; }
QuantizeFn active_quantizer(Type type) noexcept { return active().quantize[static_cast<std::size_t>(type)]; }

}  // namespace mla::quant
