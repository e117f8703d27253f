// Reading the JSON that clients send: every mistake becomes an answer that names the field.
#pragma once
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace server {

using Json = nlohmann::ordered_json;

/// What a client is told in OpenAI's form: {"error": {"message", "type", "param", "code"}}.
struct ApiError : std::runtime_error {
  ApiError(int http_status, const std::string& message, std::string field = {}, std::string error_code = {})
      : std::runtime_error(message), status(http_status), param(std::move(field)), code(std::move(error_code)) {}
  std::string to_json() const;

  int status;
  std::string param, code;
};

/// JSON as text; what is not UTF-8 in it becomes U+FFFD.
std::string dump(const Json& json);

/// The object that a request's body is. Throws ApiError for anything else, and for nesting that no request needs.
Json parse_body(const std::string& body);

/// Reads the fields of an object. Null counts as absent. Values of a wrong type or out of range throw ApiError.
class Fields {
 public:
  explicit Fields(const Json& object) : object_(object) {}

  /// Null if absent.
  const Json* find(std::string_view name) const;
  bool flag(std::string_view name, bool otherwise) const;
  std::int64_t whole(std::string_view name, std::int64_t otherwise, std::int64_t least, std::int64_t most) const;
  double number(std::string_view name, double otherwise, double least, double most) const;
  std::string text(std::string_view name, const std::string& otherwise) const;
  const Json& required(std::string_view name) const;

 private:
  const Json& object_;
};

}  // namespace server
