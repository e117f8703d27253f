// Python's operators and subscripts.
#pragma once
#include <string_view>

#include "text/jinja/runtime.hpp"

namespace mla::text::jinja {

/// left op right for + - * / // % **. Throws Error for types that do not go together.
Value binary_operation(Runtime& runtime, std::string_view op, const Value& left, const Value& right);
/// -value and +value.
Value sign_operation(std::string_view op, const Value& value);
/// left op right for == != < <= > >= in, "not in".
bool compare_operation(Runtime& runtime, std::string_view op, const Value& left, const Value& right);
/// object[start:stop:step]; none where a part is left out.
Value slice_operation(Runtime& runtime, const Value& object, const Value& start, const Value& stop, const Value& step);

}  // namespace mla::text::jinja
