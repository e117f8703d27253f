#include "cache/row_format.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "platform/fail.hpp"
#include "quant/dequantize.hpp"
#include "quant/quantize.hpp"

namespace mla::cache {
namespace {

// Of every type but q8_row, which is no block format.
quant::Type block_type(CacheType type) {
  switch (type) {
    case CacheType::f32: return quant::Type::f32;
    case CacheType::f16: return quant::Type::f16;
    case CacheType::bf16: return quant::Type::bf16;
    case CacheType::q8_0: return quant::Type::q8_0;
    case CacheType::q6_0: return quant::Type::q6_0;
    case CacheType::q4_0: return quant::Type::q4_0;
    case CacheType::q8_row: break;
  }
  fail(Status::invalid_argument, "unknown cache type {}", static_cast<int>(type));
}

bool is_quantised(CacheType type) noexcept { return type != CacheType::f32 && type != CacheType::f16 && type != CacheType::bf16; }

// Blocks must not straddle heads: a head's part is read alone.
RowPart make_part(CacheType type, int count, int width, std::size_t& end, const char* what) {
  const int unit = type == CacheType::q8_row ? 4 : quant::traits(block_type(type)).block_size;  // 4: scales stay aligned
  if (width % unit != 0)
    fail(Status::invalid_argument, "cache type {} needs a {} width that is a multiple of {}, and this model's is {}: use f16",
         to_string(type), what, unit, width);
  const RowPart part{type, count * width, width, end};
  end += part.bytes(part.width);
  return part;
}

// |q| <= 127, to nearest even. Rows of zeros, or so small that 1/scale overflows, get zero quants; so do those with an infinity or NaN,
// which the scale then turns into NaN when they are read.
void write_group(const float* values, int n, std::byte* out) noexcept {
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

void read_group(const std::byte* in, int n, float* values) noexcept {
  float scale;
  std::memcpy(&scale, in + n, sizeof scale);
  for (int i = 0; i < n; ++i) values[i] = scale * static_cast<float>(static_cast<std::int8_t>(in[i]));
}

}  // namespace

std::size_t RowPart::bytes(int count) const {
  if (type != CacheType::q8_row) return quant::row_bytes(block_type(type), count);
  return static_cast<std::size_t>(count) + static_cast<std::size_t>(count / group) * sizeof(float);
}

RowFormat RowFormat::of(const CacheShape& s, const KvCacheOptions& o) {
  RowFormat format;
  // A rope value is used at every distance, so its rounding costs most: 64 of them stay 16-bit in quantised rows.
  const CacheType rope_type = is_quantised(o.type_k) ? CacheType::f16 : o.type_k;
  const bool latent = o.layout == CacheLayout::latent;
  format.key = latent ? make_part(o.type_k, 1, s.n_latent, format.bytes, "latent")
                      : make_part(o.type_k, s.n_heads, s.n_nope, format.bytes, "key");
  format.rope = make_part(rope_type, 1, s.n_rope, format.bytes, "rope");
  if (!latent) format.value = make_part(o.type_v, s.n_heads, s.n_value, format.bytes, "value");
  return format;
}

void write_part(const RowPart& part, const float* values, std::byte* row) {
  std::byte* out = row + part.offset;
  if (part.type != CacheType::q8_row) return quant::quantize(block_type(part.type), values, out, part.width);
  for (int i = 0; i < part.width; i += part.group, out += part.bytes(part.group)) write_group(values + i, part.group, out);
}

void read_part(const RowPart& part, const std::byte* row, int first, int count, float* values) noexcept {
  const std::byte* in = row + part.offset;
  if (part.type != CacheType::q8_row) return quant::dequantize(block_type(part.type), in, first, count, values);
  in += part.bytes(first);
  for (int i = 0; i < count; i += part.group, in += part.bytes(part.group)) read_group(in, part.group, values + i);
}

}  // namespace mla::cache
