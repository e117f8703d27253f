// The largest block that operator new was asked for: a damaged size in a file must not turn into memory.
#pragma once
#include <cstddef>

std::size_t largest_allocation() noexcept;  ///< since the last reset
void reset_largest_allocation() noexcept;
