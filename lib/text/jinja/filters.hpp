// The filters and tests of Jinja that chat templates use.
#pragma once
#include <span>
#include <string_view>

#include "text/jinja/runtime.hpp"

namespace mla::text::jinja {

bool has_filter(std::string_view name);
bool has_test(std::string_view name);

/// input | name(arguments). Throws Error for a name that has_filter() denies, and for arguments that do not fit.
Value apply_filter(Runtime& runtime, std::string_view name, const Value& input, const Arguments& arguments);
/// input is name(arguments), likewise.
bool apply_test(Runtime& runtime, std::string_view name, const Value& input, const Arguments& arguments);

using Filter = Value (*)(Runtime&, const Value&, const Arguments&);
struct NamedFilter {
  std::string_view name;
  Filter filter;
};
/// The filters of text and numbers (filters_text.cpp), and of lists and dicts (filters_list.cpp).
std::span<const NamedFilter> text_filters();
std::span<const NamedFilter> list_filters();

/// element in container; throws Error for what contains nothing.
bool contains(Runtime& runtime, const Value& container, const Value& element);

}  // namespace mla::text::jinja
