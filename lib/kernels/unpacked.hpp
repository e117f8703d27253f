// Products of types that have no panels: their rows are unpacked to integers first.
#pragma once
#include "kernels/int8.hpp"
#include "quant/integers.hpp"

namespace mla::kernels {

namespace scalar {
Int8Kernels::ProductFn unpacked_product(quant::Type type) noexcept;  ///< nullptr: not for this type
}
namespace avx2 {
Int8Kernels::ProductFn unpacked_product(quant::Type type) noexcept;
}

}  // namespace mla::kernels
