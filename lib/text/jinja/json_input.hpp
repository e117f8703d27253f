// JSON from the host as template values.
#pragma once
#include <string_view>

#include "text/jinja/value.hpp"

namespace mla::text::jinja {

/// Keys keep their order; nothing in it is trusted. Throws Error(invalid_argument) that names `what` if it is no JSON.
Value parse_json(std::string_view text, const char* what);

}  // namespace mla::text::jinja
