#include "quant/types.hpp"

#include <algorithm>
#include <array>

#include "quant/interleaving.hpp"

namespace mla::quant {
namespace {

struct Row {
  Type type;
  TypeTraits traits;
};

constexpr Row rows[] = {
    {Type::f32, {"F32", 1, 4}},
    {Type::f16, {"F16", 1, 2}},
    {Type::bf16, {"BF16", 1, 2}},
    {Type::q4_0, {"Q4_0", 32, 18}},
    {Type::q4_1, {"Q4_1", 32, 20}},
    {Type::q5_0, {"Q5_0", 32, 22}},
    {Type::q5_1, {"Q5_1", 32, 24}},
    {Type::q6_0, {"Q6_0", 32, 26}},
    {Type::q8_0, {"Q8_0", 32, 34}},
    {Type::q2_k, {"Q2_K", 256, 84}},
    {Type::q3_k, {"Q3_K", 256, 110}},
    {Type::q4_k, {"Q4_K", 256, 144}},
    {Type::q5_k, {"Q5_K", 256, 176}},
    {Type::q6_k, {"Q6_K", 256, 210}},
    {Type::iq1_s, {"IQ1_S", 256, 50}},
    {Type::iq1_m, {"IQ1_M", 256, 56}},
    {Type::iq2_xxs, {"IQ2_XXS", 256, 66}},
    {Type::iq2_xs, {"IQ2_XS", 256, 74}},
    {Type::iq2_s, {"IQ2_S", 256, 82}},
    {Type::iq3_xxs, {"IQ3_XXS", 256, 98}},
    {Type::iq3_s, {"IQ3_S", 256, 110}},
    {Type::iq4_nl, {"IQ4_NL", 32, 18}},
    {Type::iq4_xs, {"IQ4_XS", 256, 136}},
    {Type::mxfp4, {"MXFP4", 32, 17}},
    {Type::iq2_k, {"IQ2_K", 256, 76}},
    {Type::iq3_k, {"IQ3_K", 256, 110}},
    {Type::iq4_k, {"IQ4_K", 256, 144}},
    {Type::iq5_k, {"IQ5_K", 256, 176}},
    {Type::iq6_k, {"IQ6_K", 256, 212}},
    {Type::iq2_ks, {"IQ2_KS", 256, 70, 2}},
    {Type::iq2_kl, {"IQ2_KL", 256, 86, 2}},
    {Type::iq3_ks, {"IQ3_KS", 256, 102, 2}},
    {Type::iq4_kss, {"IQ4_KSS", 256, 128, 4}},
    {Type::iq4_ks, {"IQ4_KS", 256, 136, 4}},
    {Type::iq5_ks, {"IQ5_KS", 256, 168, 4}},
    {Type::iq1_s_row, {"IQ1_S (scale per row)", 32, 6, 2}},
    {Type::iq1_m_row, {"IQ1_M (scale per row)", 32, 7, 2}},
    {Type::f8_e4m3, {"F8_E4M3", 1, 1}},
};

constexpr std::uint32_t n_numbers = 512, first_private = 500;

constexpr auto types = [] {
  std::array<Type, std::size(rows)> list{};
  for (std::size_t i = 0; i < list.size(); ++i) list[i] = rows[i].type;
  return list;
}();

// The traits are asked for once per row of a product: no search.
constexpr auto row_of_number = [] {
  std::array<std::int8_t, n_numbers> index{};
  index.fill(-1);
  for (std::size_t i = 0; i < std::size(rows); ++i) index[static_cast<std::size_t>(rows[i].type)] = static_cast<std::int8_t>(i);
  return index;
}();

// What is neither read nor interleaved of it, so that errors can name it.
struct Unread {
  std::uint32_t number;
  const char* name;
};
constexpr Unread unread[] = {
    {9, "Q8_1"},       {15, "Q8_K"},      {24, "I8"},        {25, "I16"},       {26, "I32"},         {27, "I64"},
    {28, "F64"},       {31, "Q4_0_4_4"},  {32, "Q4_0_4_8"},  {33, "Q4_0_8_8"},  {34, "TQ1_0"},       {35, "TQ2_0"},
    {36, "I2_S"},      {40, "NVFP4"},     {41, "Q1_0"},      {97, "Q8_0_X4"},   {98, "Q8_1_X4"},     {99, "Q8_2_X4"},
    {134, "IQ1_BN"},   {135, "IQ2_BN"},   {136, "Q8_K64"},   {147, "Q8_K16"},   {148, "Q8_K32"},     {149, "Q8_KR8"},
    {150, "Q8_K128"},  {151, "Q8_KV"},    {153, "IQ2_KT"},   {154, "IQ3_KT"},   {155, "IQ4_KT"},     {158, "IQ1_KT"},
    {230, "BF16_R16"}, {335, "IQ2_BN_R4"}, {397, "Q8_K_R16"}, {398, "Q8_KV_R8"}, {399, "Q8_K_R8"},
};

// Not std::tolower, which asks the locale.
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

const TypeTraits* find_traits(std::uint32_t gguf_number) noexcept {
  return gguf_number < first_private && row_of_number[gguf_number] >= 0 ? &traits(static_cast<Type>(gguf_number)) : nullptr;
}

const TypeTraits& traits(Type type) noexcept {
  return rows[static_cast<std::size_t>(row_of_number[static_cast<std::size_t>(type)])].traits;
}

std::span<const Type> all_types() noexcept { return types; }

const char* type_name(std::uint32_t gguf_number) noexcept {
  if (const TypeTraits* known = find_traits(gguf_number)) return known->name;
  if (const Interleaving* known = find_interleaving(gguf_number)) return known->name;
  for (const Unread& known : unread)
    if (known.number == gguf_number) return known.name;
  return "";
}

std::optional<Type> parse_type(std::string_view name) {
  for (const Row& row : rows) {
    const std::string_view known = row.traits.name;
    if (static_cast<std::uint32_t>(row.type) < first_private &&
        std::equal(name.begin(), name.end(), known.begin(), known.end(), [](char a, char b) { return lower(a) == lower(b); }))
      return row.type;
  }
  return std::nullopt;
}

std::size_t row_bytes(Type type, std::int64_t n_columns) {
  const TypeTraits& t = traits(type);
  return static_cast<std::size_t>(t.header_bytes) +
         static_cast<std::size_t>(n_columns / t.block_size) * static_cast<std::size_t>(t.block_bytes);
}

}  // namespace mla::quant
