// Panels: every instruction set interleaves rows as the plain loops do, and the rows come back to the byte.
#include "kernels/panels.hpp"

#include <cstring>
#include <vector>

#include "catch.hpp"
#include "kernels/int8.hpp"
#include "quant/dequantize.hpp"
#include "random_bytes.hpp"

using namespace mla;
using namespace mla::kernels;

namespace {

std::vector<quant::Type> panel_types() {
  std::vector<quant::Type> types;
  for (std::uint32_t number = 0; number < 400; ++number)
    if (quant::find_traits(number) != nullptr && panel_layout(static_cast<quant::Type>(number)) != nullptr)
      types.push_back(static_cast<quant::Type>(number));
  return types;
}

}  // namespace

TEST_CASE("panels: the fields of a layout are the whole block, once", "[panels]") {
  CHECK(panel_types().size() == 12);
  for (const quant::Type type : panel_types()) {
    INFO(quant::traits(type).name);
    const PanelLayout& l = *panel_layout(type);
    std::vector<int> covered(static_cast<std::size_t>(quant::traits(type).block_bytes));
    const auto cover = [&](int at, int bytes) {
      for (int i = at; i < at + bytes; ++i) ++covered.at(static_cast<std::size_t>(i));
    };
    cover(l.halves_at, 2 * l.n_halves);
    if (l.fifth_bits_at >= 0) cover(l.fifth_bits_at, 4);
    cover(l.words_at, 4 * l.n_words);
    CHECK(covered == std::vector<int>(covered.size(), 1));
    CHECK(l.block_bytes == quant::traits(type).block_bytes);
  }
}

TEST_CASE("panels: rows come back to the byte, and every instruction set makes the same panel", "[panels]") {
  for (const quant::Type type : panel_types()) {
    const std::int64_t block = quant::traits(type).block_size;
    for (const std::int64_t cols : {block, 3 * block, 11 * block}) {
      INFO(quant::traits(type).name << ", " << cols << " columns");
      const std::size_t row_bytes = quant::row_bytes(type, cols), bytes = panel_rows * row_bytes;
      const std::vector<std::byte> rows = random_bytes(3 * bytes);
      const Matrix w{rows.data(), type, 3 * panel_rows, cols, row_bytes};
      REQUIRE(fits_panels(w));
      for (std::int64_t first = 0; first < w.rows; first += panel_rows) {
        const std::byte* const source = w.row(first);
        std::vector<std::byte> panel(bytes, std::byte{0xcd}), expected(bytes), back(bytes);
        rows_to_panel(w, first, panel.data());
        panel_to_rows(type, cols, panel.data(), back.data());
        CHECK(std::equal(back.begin(), back.end(), source));
        scalar::int8.find_interleave(type)(source, row_bytes, expected.data());
        CHECK(panel == expected);
        for (const platform::Isa isa : {platform::Isa::avx2, platform::Isa::avx512, platform::Isa::neon}) {
          const Int8Kernels* const kernels = int8_kernels(isa);
          if (isa > platform::detected_isa() || kernels == nullptr) continue;
          INFO(platform::to_string(isa));
          std::vector<std::byte> got(bytes);
          kernels->find_interleave(type)(source, row_bytes, got.data());
          CHECK(got == expected);
        }
      }
    }
  }
}

TEST_CASE("panels: a panel has the floats of its rows, to the bit", "[panels]") {
  for (const quant::Type type : panel_types()) {
    INFO(quant::traits(type).name);
    const std::int64_t cols = 5 * quant::traits(type).block_size, ldw = cols + 3;
    const std::size_t row_bytes = quant::row_bytes(type, cols);
    const std::vector<std::byte> rows = random_bytes(panel_rows * row_bytes);
    std::vector<std::byte> panel(rows.size());
    const Matrix w{rows.data(), type, panel_rows, cols, row_bytes};
    rows_to_panel(w, 0, panel.data());
    std::vector<float> expected(static_cast<std::size_t>(panel_rows * ldw), 77.0f), got = expected;
    for (std::int64_t i = 0; i < panel_rows; ++i) quant::dequantize(type, w.row(i), expected.data() + i * ldw, cols);
    dequantize_panel(type, cols, panel.data(), got.data(), ldw);
    CHECK(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)) == 0);  // random scales may be NaN
  }
}

TEST_CASE("panels: float types and rows that aren't a multiple of sixteen have none", "[panels]") {
  CHECK_FALSE(fits_panels({nullptr, quant::Type::f16, 32, 256, 512}));
  CHECK_FALSE(fits_panels({nullptr, quant::Type::q4_k, 24, 256, 144}));
  CHECK_FALSE(fits_panels({nullptr, quant::Type::q4_k, 0, 256, 144}));
  for (const quant::Type type : {quant::Type::f32, quant::Type::f16, quant::Type::bf16}) CHECK(scalar::int8.find_interleave(type) == nullptr);
}
