// fail(): throws mla::Error with a formatted message. The one way that this library reports failure.
#pragma once
#include <fmt/format.h>

#include <mla/error.hpp>
#include <string>
#include <utility>

namespace mla {

/// Names that come from files may hold line ends, terminal escapes or no UTF-8 at all: such bytes become '?'.
std::string one_line(std::string text);

template <typename... Args>
[[noreturn]] void fail(Status status, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(status, one_line(fmt::format(format, std::forward<Args>(args)...)));
}

}  // namespace mla
