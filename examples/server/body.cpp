#include "server/body.hpp"

#include <fmt/format.h>

namespace server {
namespace {

constexpr int deepest = 64;  // tools carry JSON schemas, which nest, but not like that

[[noreturn]] void wrong(std::string_view name, const std::string& expected) {
  throw ApiError(400, fmt::format("'{}' must be {}", name, expected), std::string(name), "invalid_value");
}

const char* type_of(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    default: return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

}  // namespace

std::string ApiError::to_json() const {
  const auto text_or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  return dump({{"error", {{"message", what()}, {"type", type_of(status)}, {"param", text_or_null(param)}, {"code", text_or_null(code)}}}});
}

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json parse_body(const std::string& body) {
  const auto check_depth = [](int depth, Json::parse_event_t, Json&) {
    if (depth > deepest) throw ApiError(400, fmt::format("the body nests more than {} levels", deepest));
    return true;
  };
  try {
    Json json = Json::parse(body, check_depth);
    if (!json.is_object()) throw ApiError(400, "the body must be a JSON object");
    return json;
  } catch (const Json::exception& error) {
    throw ApiError(400, std::string("the body is not valid JSON: ") + error.what());
  }
}

const Json* Fields::find(std::string_view name) const {
  const auto found = object_.find(std::string(name));
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

bool Fields::flag(std::string_view name, bool otherwise) const {
  const Json* const value = find(name);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) wrong(name, "true or false");
  return value->get<bool>();
}

std::int64_t Fields::whole(std::string_view name, std::int64_t otherwise, std::int64_t least, std::int64_t most) const {
  const Json* const value = find(name);
  if (value == nullptr) return otherwise;
  // Clients in JavaScript know no whole numbers: 16.0 is one too.
  const bool is_whole =
      value->is_number_integer() ||
      (value->is_number_float() &&
       value->get<double>() == static_cast<double>(static_cast<std::int64_t>(std::clamp(value->get<double>(), -9e15, 9e15))));
  const double wide = is_whole ? value->get<double>() : 0;
  if (!is_whole || wide < static_cast<double>(least) || wide > static_cast<double>(most))
    wrong(name, fmt::format("a whole number from {} to {}", least, most));
  return value->get<std::int64_t>();
}

double Fields::number(std::string_view name, double otherwise, double least, double most) const {
  const Json* const value = find(name);
  if (value == nullptr) return otherwise;
  if (!value->is_number() || !(value->get<double>() >= least && value->get<double>() <= most))
    wrong(name, fmt::format("a number from {} to {}", least, most));
  return value->get<double>();
}

std::string Fields::text(std::string_view name, const std::string& otherwise) const {
  const Json* const value = find(name);
  if (value == nullptr) return otherwise;
  if (!value->is_string()) wrong(name, "a string");
  return value->get<std::string>();
}

const Json& Fields::required(std::string_view name) const {
  const Json* const value = find(name);
  if (value == nullptr) throw ApiError(400, fmt::format("'{}' is missing", name), std::string(name), "missing_required_parameter");
  return *value;
}

}  // namespace server
