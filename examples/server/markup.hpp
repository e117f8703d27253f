// How models of the DeepSeek family write thoughts and tool calls into their text.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace server {

inline constexpr std::string_view think_begin = "<think>", think_end = "</think>";

struct ToolCall {
  std::string id;  ///< empty: the model gave none
  std::string name;
  std::string arguments;  ///< JSON as the model wrote it, which need not be valid
};

/// One way to write tool calls: [section_begin] {call_begin … call_end} [section_end].
struct CallFormat {
  std::string_view section_begin, section_end;  ///< empty: calls stand alone
  std::string_view call_begin, separator, call_end;
  /// What stands between call_begin and call_end; nothing if that is no call.
  std::optional<ToolCall> (*parse)(std::string_view body, std::string_view separator);
};

/// DeepSeek V2.5 to V3.1 and R1; Kimi-K2; GLM-4.5 to 4.7, which also covers the {"name", "arguments"} objects of other families.
const std::array<CallFormat, 3>& call_formats();

/// All the marks above, which a model's vocabulary may hold as control tokens.
std::vector<std::string_view> all_marks();

}  // namespace server
