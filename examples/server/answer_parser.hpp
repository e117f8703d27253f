// Takes an answer apart, as it comes: thoughts, text, tool calls.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "server/markup.hpp"

namespace server {

/// What a piece of an answer added.
struct AnswerDelta {
  std::string content, reasoning;
  std::vector<ToolCall> calls;  ///< each whole
  bool empty() const noexcept { return content.empty() && reasoning.empty() && calls.empty(); }
};

struct AnswerFormat {
  bool begins_in_thought = false;  ///< the prompt ended with <think>
  bool has_tools = false;          ///< tool calls are looked for
};

class AnswerParser {
 public:
  explicit AnswerParser(AnswerFormat format);

  AnswerDelta push(std::string_view text);
  /// What was held back, when no more text comes. A call that was not finished is given out as text.
  AnswerDelta finish();

  int n_calls() const noexcept { return n_calls_; }

 private:
  enum class Part { start, thought, content, calls };

  bool take_mark(AnswerDelta& delta);
  bool take_call(AnswerDelta& delta);
  void give(std::string_view text, AnswerDelta& delta);
  std::vector<std::string_view> marks() const;

  bool has_tools_;
  Part part_;
  bool part_is_fresh_ = true;     // nothing of it was given out: line ends at its beginning are dropped
  std::string blank_;             // line ends of a thought, which are dropped if it ends with them
  const CallFormat* calls_ = nullptr;
  std::string text_;              // not yet given out
  int n_calls_ = 0;
};

}  // namespace server
