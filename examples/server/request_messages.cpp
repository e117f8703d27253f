#include <fmt/format.h>

#include "server/request.hpp"

namespace server {
namespace {

ApiError wrong(std::size_t message, const std::string& what) {
  const std::string name = fmt::format("messages[{}]", message);
  return ApiError(400, name + what, name, "invalid_value");
}

std::string joined_parts(const Json& parts, std::size_t message) {
  std::string text;
  for (const Json& part : parts) {
    const bool is_text = part.is_object() && part.value("type", "") == "text" && part.contains("text") && part["text"].is_string();
    if (!is_text) throw wrong(message, ": only text parts of a content are supported");
    text += part["text"].get<std::string>();
  }
  return text;
}

void parse_arguments(Json& calls) {
  for (Json& call : calls) {
    if (!call.is_object() || !call.contains("function") || !call["function"].is_object() || !call["function"].contains("arguments"))
      continue;
    Json& arguments = call["function"]["arguments"];
    if (!arguments.is_string()) continue;
    Json parsed = Json::parse(arguments.get<std::string>(), nullptr, false);
    if (parsed.is_object()) arguments = std::move(parsed);
  }
}

}  // namespace

Json template_messages(const Json& messages, bool arguments_as_objects) {
  if (!messages.is_array() || messages.empty())
    throw ApiError(400, "'messages' must be an array with at least one message", "messages", "invalid_value");
  Json result = messages;
  for (std::size_t i = 0; i < result.size(); ++i) {
    Json& message = result[i];
    if (!message.is_object() || !message.contains("role") || !message["role"].is_string())
      throw wrong(i, " must be an object with a 'role'");
    if (message["role"] == "developer") message["role"] = "system";  // OpenAI's newer name
    const bool has_content = message.contains("content") && !message["content"].is_null();
    if (!has_content && !message.contains("tool_calls") && message["role"] != "assistant") throw wrong(i, " has no 'content'");
    if (has_content && message["content"].is_array()) message["content"] = joined_parts(message["content"], i);
    if (has_content && !message["content"].is_string()) throw wrong(i, ": 'content' must be a string or an array of text parts");
    if (message.contains("tool_calls") && !message["tool_calls"].is_null() && !message["tool_calls"].is_array())
      throw wrong(i, ": 'tool_calls' must be an array");
    if (arguments_as_objects && message.contains("tool_calls")) parse_arguments(message["tool_calls"]);
  }
  return result;
}

}  // namespace server
