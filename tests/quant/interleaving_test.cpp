#include "quant/interleaving.hpp"

#include "catch.hpp"
#include "quant/dequantize.hpp"
#include "support.hpp"

using namespace mla::quant;
using namespace mla::quant::test;

namespace {

std::vector<const Interleaving*> all_interleavings() {
  std::vector<const Interleaving*> found;
  for (std::uint32_t number = 0; number < 1000; ++number)
    if (const Interleaving* layout = find_interleaving(number)) found.push_back(layout);
  return found;
}

struct Case {
  std::int64_t n_rows, n_columns;
  std::vector<std::byte> interleaved, want;  // `want`: rows one after another, or floats
};

Case read_case(const Interleaving& layout, std::int64_t n_columns, bool floats) {
  const Golden golden(std::string(layout.name) + ".bin");
  const auto bytes = static_cast<std::size_t>(golden.count()) * row_bytes(layout.base, n_columns);
  const auto want_bytes = floats ? static_cast<std::size_t>(golden.count() * n_columns) * sizeof(float) : bytes;
  return {golden.count(), n_columns, golden.at<std::byte>(0, bytes), golden.at<std::byte>(bytes, want_bytes)};
}

// With a guard before and behind.
std::vector<std::byte> restore(const Interleaving& layout, const Case& c) {
  std::vector<std::byte> out(c.interleaved.size() + 2, std::byte{0xa5});
  restore_rows(layout, c.interleaved.data(), out.data() + 1, c.n_rows, c.n_columns);
  CHECK(out.front() == std::byte{0xa5});
  CHECK(out.back() == std::byte{0xa5});
  return {out.begin() + 1, out.end() - 1};
}

bool has_plain_base(const Interleaving& layout) { return layout.base != Type::iq1_s_row && layout.base != Type::iq1_m_row; }

}  // namespace

TEST_CASE("interleaved rows are restored to the bytes that they were made of", "[quant]") {
  int n_layouts = 0;
  for (const Interleaving* layout : all_interleavings()) {
    if (!has_plain_base(*layout)) continue;
    INFO(layout->name);
    const int block = traits(layout->base).block_size;
    const Case c = read_case(*layout, block == 32 ? 96 : 512, false);
    REQUIRE(c.n_rows == 2 * layout->rows);
    CHECK(c.interleaved != c.want);
    const auto got = restore(*layout, c);
    std::size_t wrong = 0, first = 0;
    for (std::size_t i = got.size(); i-- > 0;)
      if (got[i] != c.want[i]) ++wrong, first = i;
    INFO("first wrong: byte " << first % row_bytes(layout->base, c.n_columns) << " of a row, " << wrong << " in all");
    CHECK(wrong == 0);
    ++n_layouts;
  }
  CHECK(n_layouts == 23);
}

TEST_CASE("interleaved rows of one scale each are restored to rows of the same values", "[quant]") {
  int n_layouts = 0;
  for (const Interleaving* layout : all_interleavings()) {
    if (has_plain_base(*layout)) continue;
    INFO(layout->name);
    const Case c = read_case(*layout, 160, true);
    REQUIRE(c.n_rows == 8);
    const auto rows = restore(*layout, c);
    std::vector<float> want(static_cast<std::size_t>(c.n_rows * c.n_columns)), got(want.size());
    std::memcpy(want.data(), c.want.data(), c.want.size());
    for (std::int64_t r = 0; r < c.n_rows; ++r)
      dequantize(layout->base, rows.data() + static_cast<std::size_t>(r) * row_bytes(layout->base, c.n_columns),
                 got.data() + r * c.n_columns, c.n_columns);
    CHECK(difference(got, want) == "");
    ++n_layouts;
  }
  CHECK(n_layouts == 2);
}
