// The chat page, which is part of the program.
#pragma once
#include <string_view>

namespace server {

extern const std::string_view page;  ///< HTML that asks for nothing beside itself and this server's /v1

}  // namespace server
