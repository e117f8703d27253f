#include "cache/row_format.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "kernels/int16.hpp"
#include "platform/fail.hpp"
#include "quant/dequantize.hpp"
#include "quant/quantize.hpp"

namespace mla::cache {
namespace {

// Bytes of a value in the types that have one scale for a group; 0: a block format.
std::size_t integer_bytes(CacheType type) noexcept { return type == CacheType::q16_row ? 2 : type == CacheType::q8_row ? 1 : 0; }

quant::Type block_type(CacheType type) {
  switch (type) {
    case CacheType::f32: return quant::Type::f32;
    case CacheType::f16: return quant::Type::f16;
    case CacheType::bf16: return quant::Type::bf16;
    case CacheType::q8_0: return quant::Type::q8_0;
    case CacheType::q6_0: return quant::Type::q6_0;
    case CacheType::q4_0: return quant::Type::q4_0;
    case CacheType::q8_row:
    case CacheType::q16_row: break;
  }
  fail(Status::invalid_argument, "unknown cache type {}", static_cast<int>(type));
}

// A rope value is used at every distance, so its rounding costs most: 64 of them stay 16-bit in quantised rows.
CacheType rope_type(CacheType type) noexcept {
  switch (type) {
    case CacheType::f32:
    case CacheType::bf16:
    case CacheType::q16_row: return type;
    default: return CacheType::f16;
  }
}

// Blocks must not straddle heads: a head's part is read alone.
RowPart make_part(CacheType type, int count, int width, std::size_t& end, const char* what) {
  const int unit = type == CacheType::q16_row ? 1 : type == CacheType::q8_row ? 4 : quant::traits(block_type(type)).block_size;  // 4: scales stay aligned
  if (width % unit != 0)
    fail(Status::invalid_argument, "cache type {} needs a {} width that is a multiple of {}, and this model's is {}: use q16_row or f16",
         to_string(type), what, unit, width);
  const RowPart part{type, count * width, width, end};
  end += part.bytes(part.width);
  return part;
}

template <typename Int>
void read_integers(const std::byte* in, int n, float* values) noexcept {
  const auto n_bytes = static_cast<std::size_t>(n) * sizeof(Int);
  float scale;
  std::memcpy(&scale, in + n_bytes, sizeof scale);
  for (int i = 0; i < n; ++i) {
    Int q;
    std::memcpy(&q, in + static_cast<std::size_t>(i) * sizeof q, sizeof q);
    values[i] = scale * static_cast<float>(q);
  }
}

// |q| <= 127, to nearest even. Rows of zeros, or so small that 1/scale overflows, get zero quants; so do those with an infinity or NaN,
// which the scale then turns into NaN when they are read.
void write_bytes(const float* values, int n, std::byte* out) noexcept {
  float largest = 0;
  for (int i = 0; i < n; ++i) {
    const float magnitude = std::fabs(values[i]);
    if (!(magnitude <= largest)) largest = magnitude;
    if (std::isnan(magnitude)) break;
  }
  const float scale = largest / 127.0f, inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
  const bool usable = std::isfinite(scale) && std::isfinite(inverse);
  for (int i = 0; i < n; ++i) {
    const long q = usable ? std::lrint(values[i] * inverse) : 0;
    out[i] = static_cast<std::byte>(static_cast<std::int8_t>(std::clamp(q, -127l, 127l)));
  }
  std::memcpy(out + n, &scale, sizeof scale);
}

void write_integers(const float* values, int n, std::byte* out) noexcept {
  const float scale = kernels::active_int16_kernels().round(values, n, reinterpret_cast<std::int16_t*>(out));
  std::memcpy(out + 2 * static_cast<std::size_t>(n), &scale, sizeof scale);
}

// The bounds that rounding keeps to, its own error included.
bool is_rounded(const std::int16_t* q, int n) noexcept {
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  for (int first = 0; first < n; first += static_cast<int>(kernels::int16_group)) {
    std::int64_t norm2 = 0;
    int largest = 0;
    for (int i = first; i < std::min(n, first + static_cast<int>(kernels::int16_group)); ++i) {
      norm2 += std::int64_t{q[i]} * q[i];
      largest = std::max(largest, std::abs(int{q[i]}));
    }
    if (norm2 > most || largest > static_cast<int>(kernels::int16_largest)) return false;
  }
  return true;
}

}  // namespace

std::size_t RowPart::bytes(int count) const {
  const std::size_t each = integer_bytes(type);
  if (each == 0) return quant::row_bytes(block_type(type), count);
  return static_cast<std::size_t>(count) * each + static_cast<std::size_t>(count / group) * sizeof(float);
}

RowFormat RowFormat::of(const CacheShape& s, const KvCacheOptions& o) {
  RowFormat format;
  const bool latent = o.layout == CacheLayout::latent;
  format.key = latent ? make_part(o.type_k, 1, s.n_latent, format.bytes, "latent")
                      : make_part(o.type_k, s.n_heads, s.n_nope, format.bytes, "key");
  format.rope = make_part(rope_type(o.type_k), 1, s.n_rope, format.bytes, "rope");
  if (!latent) format.value = make_part(o.type_v, s.n_heads, s.n_value, format.bytes, "value");
  return format;
}

void write_part(const RowPart& part, const float* values, std::byte* row) {
  std::byte* out = row + part.offset;
  const std::size_t each = integer_bytes(part.type);
  if (each == 0) return quant::quantize(block_type(part.type), values, out, part.width);
  const auto write = each == 1 ? write_bytes : write_integers;
  for (int i = 0; i < part.width; i += part.group, out += part.bytes(part.group)) write(values + i, part.group, out);
}

void read_part(const RowPart& part, const std::byte* row, int first, int count, float* values) noexcept {
  const std::byte* in = row + part.offset;
  const std::size_t each = integer_bytes(part.type);
  if (each == 0) return quant::dequantize(block_type(part.type), in, first, count, values);
  in += part.bytes(first);
  const auto read = each == 1 ? read_integers<std::int8_t> : read_integers<std::int16_t>;
  for (int i = 0; i < count; i += part.group, in += part.bytes(part.group)) read(in, part.group, values + i);
}

bool is_valid_row(const RowFormat& format, const std::byte* row) noexcept {
  for (const RowPart* part : {&format.key, &format.rope, &format.value}) {
    if (part->type != CacheType::q16_row) continue;
    const std::byte* in = row + part->offset;
    for (int i = 0; i < part->width; i += part->group, in += part->bytes(part->group))
      if (!is_rounded(reinterpret_cast<const std::int16_t*>(in), part->group)) return false;
  }
  return true;
}

}  // namespace mla::cache
