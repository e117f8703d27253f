#include "quant/types.hpp"

#include <algorithm>

namespace mla::quant {
namespace {

struct Row {
  Type type;
  TypeTraits traits;
};

constexpr Row rows[] = {
    {Type::f32, {"F32", 1, 4}},         {Type::f16, {"F16", 1, 2}},         {Type::q4_0, {"Q4_0", 32, 18}},
    {Type::q4_1, {"Q4_1", 32, 20}},     {Type::q5_0, {"Q5_0", 32, 22}},     {Type::q5_1, {"Q5_1", 32, 24}},
    {Type::q8_0, {"Q8_0", 32, 34}},     {Type::q2_k, {"Q2_K", 256, 84}},    {Type::q3_k, {"Q3_K", 256, 110}},
    {Type::q4_k, {"Q4_K", 256, 144}},   {Type::q5_k, {"Q5_K", 256, 176}},   {Type::q6_k, {"Q6_K", 256, 210}},
    {Type::iq4_nl, {"IQ4_NL", 32, 18}}, {Type::iq4_xs, {"IQ4_XS", 256, 136}}, {Type::bf16, {"BF16", 1, 2}},
};

// Not std::tolower, which asks the locale.
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

const TypeTraits* find_traits(std::uint32_t gguf_number) noexcept {
  for (const Row& row : rows)
    if (static_cast<std::uint32_t>(row.type) == gguf_number) return &row.traits;
  return nullptr;
}

const TypeTraits& traits(Type type) noexcept { return *find_traits(static_cast<std::uint32_t>(type)); }

std::optional<Type> parse_type(std::string_view name) {
  for (const Row& row : rows) {
    const std::string_view known = row.traits.name;
    if (std::equal(name.begin(), name.end(), known.begin(), known.end(), [](char a, char b) { return lower(a) == lower(b); }))
      return row.type;
  }
  return std::nullopt;
}

std::size_t row_bytes(Type type, std::int64_t n_columns) {
  const TypeTraits& t = traits(type);
  return static_cast<std::size_t>(n_columns / t.block_size) * static_cast<std::size_t>(t.block_bytes);
}

}  // namespace mla::quant
