#include "cache/row_format.hpp"

#include "platform/fail.hpp"
#include "quant/dequantize.hpp"
#include "quant/quantize.hpp"

namespace mla::cache {
namespace {

quant::Type stored_type(CacheType type) {
  switch (type) {
    case CacheType::f32: return quant::Type::f32;
    case CacheType::f16: return quant::Type::f16;
    case CacheType::bf16: return quant::Type::bf16;
    case CacheType::q8_0: return quant::Type::q8_0;
  }
  fail(Status::invalid_argument, "unknown cache type {}", static_cast<int>(type));
}

// Blocks must not straddle heads: a head's part is read alone.
RowPart make_part(CacheType type, int count, int width, std::size_t& end, const char* what) {
  const quant::Type stored = stored_type(type);
  if (width % quant::traits(stored).block_size != 0)
    fail(Status::invalid_argument, "cache type {} needs a {} width that is a multiple of {}, and this model's is {}: use f16",
         to_string(type), what, quant::traits(stored).block_size, width);
  const RowPart part{stored, count * width, end};
  end += quant::row_bytes(stored, part.width);
  return part;
}

}  // namespace

RowFormat RowFormat::of(const CacheShape& s, const KvCacheOptions& o) {
  RowFormat format;
  // A rope value is used at every distance, so its rounding costs most: 64 of them stay 16-bit in quantised rows.
  const CacheType rope_type = o.type_k == CacheType::q8_0 ? CacheType::f16 : o.type_k;
  const bool latent = o.layout == CacheLayout::latent;
  format.key = latent ? make_part(o.type_k, 1, s.n_latent, format.bytes, "latent")
                      : make_part(o.type_k, s.n_heads, s.n_nope, format.bytes, "key");
  format.rope = make_part(rope_type, 1, s.n_rope, format.bytes, "rope");
  if (!latent) format.value = make_part(o.type_v, s.n_heads, s.n_value, format.bytes, "value");
  return format;
}

void write_part(const RowPart& part, const float* values, std::byte* row) {
  quant::quantize(part.type, values, row + part.offset, part.width);
}

void read_part(const RowPart& part, const std::byte* row, int first, int count, float* values) noexcept {
  quant::dequantize(part.type, row + part.offset, first, count, values);
}

}  // namespace mla::cache
