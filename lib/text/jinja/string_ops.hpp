// Python's string operations that both filters and methods need.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "text/jinja/marked_text.hpp"
#include "text/jinja/utf8.hpp"

namespace mla::text::jinja {

/// The range of `text` without those of `chars` at its ends.
utf8::Range strip_chars(std::string_view text, std::string_view chars, bool left, bool right);
/// Up to `count` occurrences replaced (all if negative). A replacement is trusted only where the text it replaces is.
MarkedText replace(const MarkedText& text, std::string_view old, const MarkedText& replacement, std::int64_t count);
std::vector<utf8::Range> split_lines(std::string_view text, bool keep_ends);
/// Parts between `separator`, or between white space if it is null; at most max_splits cuts unless negative.
std::vector<utf8::Range> split(std::string_view text, const std::string_view* separator, std::int64_t max_splits, bool from_right);
MarkedText center(const MarkedText& text, std::int64_t width);
/// Throws Error(unsupported) for more than max_text_bytes.
MarkedText spaces(std::int64_t n, char fill = ' ');

}  // namespace mla::text::jinja
