// Files whose weights are stored as the kernels read them: panels of sixteen rows (kernels/panels.hpp). Such a tensor has a type
// number of its own, so that no other reader takes it for rows, and metadata say which layout it is.
#pragma once
#include <cstdint>
#include <optional>

namespace mla::format {

constexpr const char *layout_key = "mla.layout", *layout_version_key = "mla.layout.version";
constexpr const char* layout_name = "panels16";
constexpr std::uint32_t layout_version = 1;
constexpr std::uint64_t layout_rows = 16;

/// GGUF's number of a type in panels: far from those that other programs give out.
constexpr std::uint32_t panel_numbers = 0x50000;
constexpr std::uint32_t number_in_panels(std::uint32_t type) noexcept { return panel_numbers + type; }
/// The type whose rows the panels have; empty for other numbers.
constexpr std::optional<std::uint32_t> type_in_panels(std::uint32_t number) noexcept {
  if (number < panel_numbers || number >= 2 * panel_numbers) return std::nullopt;
  return number - panel_numbers;
}

}  // namespace mla::format
