#include "server/markup.hpp"

#include <nlohmann/json.hpp>

namespace server {
namespace {

using nlohmann::ordered_json;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(blank);
  return begin == text.npos ? std::string_view() : text.substr(begin, text.find_last_not_of(blank) + 1 - begin);
}

// V3 and R1: "function<sep>NAME\n```json\n{…}\n```"; V3.1: "NAME<sep>{…}".
std::optional<ToolCall> parse_deepseek(std::string_view body, std::string_view separator) {
  const std::size_t cut = body.find(separator);
  if (cut == body.npos) return {};
  const std::string_view head = trimmed(body.substr(0, cut)), rest = body.substr(cut + separator.size());
  constexpr std::string_view fence = "```";
  const std::size_t open = rest.find(fence);
  if (head != "function" || open == rest.npos) return ToolCall{"", std::string(head), std::string(trimmed(rest))};
  const std::size_t line_end = rest.find('\n', open), close = rest.rfind(fence);
  if (line_end == rest.npos || close <= line_end) return {};
  return ToolCall{"", std::string(trimmed(rest.substr(0, open))), std::string(trimmed(rest.substr(line_end, close - line_end)))};
}

// "functions.NAME:0<argument_begin>{…}", whose head is the call's id.
std::optional<ToolCall> parse_kimi(std::string_view body, std::string_view separator) {
  const std::size_t cut = body.find(separator);
  if (cut == body.npos) return {};
  const std::string_view id = trimmed(body.substr(0, cut));
  std::string_view name = id.substr(0, id.rfind(':'));
  if (name.starts_with("functions.")) name.remove_prefix(std::string_view("functions.").size());
  return ToolCall{std::string(id), std::string(name), std::string(trimmed(body.substr(cut + separator.size())))};
}

std::optional<std::string_view> take_tagged(std::string_view& text, std::string_view open, std::string_view close) {
  const std::size_t begin = text.find(open), end = text.find(close, begin);
  if (begin == text.npos || end == text.npos) return {};
  const std::string_view inside = text.substr(begin + open.size(), end - begin - open.size());
  text.remove_prefix(end + close.size());
  return inside;
}

std::optional<ToolCall> parse_object(std::string_view body) {
  const ordered_json call = ordered_json::parse(body, nullptr, false);
  if (!call.is_object() || !call.contains("name") || !call["name"].is_string()) return {};
  const ordered_json arguments = call.value("arguments", ordered_json::object());
  return ToolCall{"", call["name"], arguments.is_string() ? arguments.get<std::string>() : arguments.dump()};
}

// "NAME\n<arg_key>K</arg_key>\n<arg_value>V</arg_value>…", where V is JSON or, failing that, a string; or {"name": …, "arguments": …}.
std::optional<ToolCall> parse_glm(std::string_view body, std::string_view separator) {
  body = trimmed(body);
  if (body.starts_with('{')) return parse_object(body);
  const std::size_t cut = std::min(body.find(separator), body.size());
  std::string_view rest = body.substr(cut);
  ordered_json arguments = ordered_json::object();
  while (const auto key = take_tagged(rest, "<arg_key>", "</arg_key>")) {
    const auto value = take_tagged(rest, "<arg_value>", "</arg_value>");
    if (!value) return {};
    const ordered_json parsed = ordered_json::parse(*value, nullptr, false);
    arguments[std::string(trimmed(*key))] = parsed.is_discarded() ? ordered_json(std::string(*value)) : parsed;
  }
  return ToolCall{"", std::string(trimmed(body.substr(0, cut))), arguments.dump(-1, ' ', false, ordered_json::error_handler_t::replace)};
}

}  // namespace

const std::array<CallFormat, 3>& call_formats() {
  static const std::array<CallFormat, 3> formats{{
      {"<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>", parse_deepseek},
      {"<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>", "<|tool_call_argument_begin|>",
       "<|tool_call_end|>", parse_kimi},
      {"", "", "<tool_call>", "<arg_key>", "</tool_call>", parse_glm},
  }};
  return formats;
}

std::vector<std::string_view> all_marks() {
  std::vector<std::string_view> marks{think_begin, think_end};
  for (const CallFormat& format : call_formats())
    for (const std::string_view mark : {format.section_begin, format.section_end, format.call_begin, format.separator, format.call_end})
      if (!mark.empty()) marks.push_back(mark);
  for (const std::string_view mark : {"</arg_key>", "<arg_value>", "</arg_value>"}) marks.push_back(mark);
  return marks;
}

}  // namespace server
