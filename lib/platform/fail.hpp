// fail(): throws mla::Error with a formatted message. The one way that this library reports failure.
#pragma once
#include <fmt/format.h>

#include <mla/error.hpp>
#include <utility>

namespace mla {

template <typename... Args>
[[noreturn]] void fail(Status status, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(status, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace mla
