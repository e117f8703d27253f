#include <cstring>

#include "kernels/stored_rows.hpp"
#include "quant/dequantize.hpp"

namespace mla::kernels {
namespace {

template <quant::Type type>
struct Blocks {
  static void read(const std::byte* row, std::int64_t, std::int64_t first, std::int64_t n, float* values) noexcept { quant::dequantize(type, row, first, n, values); }
};

template <typename Int>
struct ScaledIntegers {
  static void read(const std::byte* row, std::int64_t width, std::int64_t first, std::int64_t n, float* values) noexcept {
    float scale;
    std::memcpy(&scale, row + width * std::int64_t{sizeof(Int)}, sizeof scale);
    for (std::int64_t i = 0; i < n; ++i) {
      Int q;
      std::memcpy(&q, row + (first + i) * std::int64_t{sizeof q}, sizeof q);
      values[i] = scale * static_cast<float>(q);
    }
  }
};

constexpr std::int64_t step = 32;  // values made at a time: a block of every type

template <typename Row, typename Body>
void each_step(const StoredRowList& list, std::int64_t row, Body&& body) {
  float values[step];
  for (std::int64_t first = 0; first < list.width; first += step) {
    const std::int64_t n = list.width - first < step ? list.width - first : step;
    Row::read(list.rows[row] + list.offset, list.width, first, n, values);
    body(first, n, values);
  }
}

template <typename Row>
void add_dots(const StoredRowList& list, const float* x, float* out) noexcept {
  for (std::int64_t row = 0; row < list.n; ++row) {
    float sum = 0;
    each_step<Row>(list, row, [&](std::int64_t first, std::int64_t n, const float* values) {
      for (std::int64_t i = 0; i < n; ++i) sum += x[first + i] * values[i];
    });
    out[row] += sum;
  }
}

template <typename Row>
void add_weighted(const StoredRowList& list, const float* weights, float* y) noexcept {
  for (std::int64_t row = 0; row < list.n; ++row) {
    if (weights[row] == 0.0f) continue;
    each_step<Row>(list, row, [&](std::int64_t first, std::int64_t n, const float* values) {
      for (std::int64_t i = 0; i < n; ++i) y[first + i] += weights[row] * values[i];
    });
  }
}

template <typename Row>
constexpr StoredRowKernels kernels_of = {add_dots<Row>, add_weighted<Row>};

StoredRowKernels scalar_kernels(StoredType type) noexcept {
  switch (type) {
    case StoredType::f32: return kernels_of<Blocks<quant::Type::f32>>;
    case StoredType::f16: return kernels_of<Blocks<quant::Type::f16>>;
    case StoredType::bf16: return kernels_of<Blocks<quant::Type::bf16>>;
    case StoredType::q8_0: return kernels_of<Blocks<quant::Type::q8_0>>;
    case StoredType::q6_0: return kernels_of<Blocks<quant::Type::q6_0>>;
    case StoredType::q4_0: return kernels_of<Blocks<quant::Type::q4_0>>;
    case StoredType::q8_row: return kernels_of<ScaledIntegers<std::int8_t>>;
    case StoredType::q16_row: break;
  }
  return kernels_of<ScaledIntegers<std::int16_t>>;
}

}  // namespace

#ifdef MLA_X86
StoredRowKernels stored_row_kernels_avx2(StoredType type) noexcept;
#endif

StoredRowKernels stored_row_kernels(StoredType type, std::int64_t width, platform::Isa isa) noexcept {
#ifdef MLA_X86
  if (isa >= platform::Isa::avx2 && width % 8 == 0) return stored_row_kernels_avx2(type);
#endif
  (void)width, (void)isa;
  return scalar_kernels(type);
}

}  // namespace mla::kernels
