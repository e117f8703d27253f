#include "kernels/int8.hpp"

namespace mla::kernels {

namespace {
constexpr std::int64_t sums_in_chunk = 16 + 8 + 2 * (16 + 8);
}

std::size_t int8_rows_bytes(std::int64_t m, std::int64_t columns) noexcept {
  const auto chunks = static_cast<std::size_t>(m * n_chunks(columns));
  return (chunks * (chunk_values + sizeof(float) + sums_in_chunk * sizeof(std::int16_t)) + 63) / 64 * 64;
}

Int8Rows int8_rows_at(void* memory, std::int64_t m, std::int64_t columns) noexcept {
  const std::int64_t chunks = m * n_chunks(columns);
  auto* const q = static_cast<std::int8_t*>(memory);
  auto* const sums = reinterpret_cast<std::int16_t*>(q + chunks * chunk_values);
  return {n_chunks(columns), q, reinterpret_cast<float*>(sums + chunks * sums_in_chunk), sums, sums + chunks * 16, sums + chunks * 24, sums + chunks * 56};
}

const Int8Kernels* int8_kernels(platform::Isa isa) noexcept {
#ifdef MLA_X86
  if (isa >= platform::Isa::avx512 && __builtin_cpu_supports("avx512vnni")) return &avx512::int8;
  if (isa >= platform::Isa::avx2) return &avx2::int8;
#elif defined(MLA_ARM)
  if (isa == platform::Isa::neon) return &neon::int8;
#endif
  (void)isa;
  return nullptr;
}

const Int8Kernels* active_int8_kernels() {
  static const Int8Kernels* const kernels = int8_kernels(platform::active_isa());
  return kernels;
}

}  // namespace mla::kernels
