#include "server/answer_parser.hpp"

#include <algorithm>

namespace server {
namespace {

constexpr std::string_view blanks = " \t\r\n";

// Bytes at the end of `text` that one of the marks may begin with.
std::size_t possible_mark(std::string_view text, const std::vector<std::string_view>& marks) {
  std::size_t longest = 0;
  for (const std::string_view mark : marks)
    for (std::size_t n = std::min(mark.size() - 1, text.size()); n > longest; --n)
      if (text.ends_with(mark.substr(0, n))) longest = n;
  return longest;
}

}  // namespace

AnswerParser::AnswerParser(AnswerFormat format)
    : has_tools_(format.has_tools), part_(format.begins_in_thought ? Part::thought : Part::start) {}

// What may change the part of the answer. Thoughts open only at its start: later, <think> is text about thoughts.
std::vector<std::string_view> AnswerParser::marks() const {
  if (part_ == Part::thought) return {think_end};
  std::vector<std::string_view> marks;
  if (part_ == Part::start) marks.push_back(think_begin);
  if (has_tools_)
    for (const CallFormat& format : call_formats())
      for (const std::string_view mark : {format.section_begin, format.call_begin})
        if (!mark.empty()) marks.push_back(mark);
  return marks;
}

AnswerDelta AnswerParser::push(std::string_view text) {
  AnswerDelta delta;
  text_ += text;
  while (part_ == Part::calls ? take_call(delta) : take_mark(delta)) {
  }
  if (part_ == Part::calls) return delta;
  const std::size_t shown = text_.size() - possible_mark(text_, marks());
  give(std::string_view(text_).substr(0, shown), delta);
  text_.erase(0, shown);
  return delta;
}

// Gives out what stands before the first mark, and changes to the part that it opens.
bool AnswerParser::take_mark(AnswerDelta& delta) {
  std::size_t first = text_.npos;
  std::string_view found;
  for (const std::string_view mark : marks())
    if (const std::size_t at = text_.find(mark); at < first) first = at, found = mark;
  if (first == text_.npos) return false;
  give(std::string_view(text_).substr(0, first), delta);
  if (found == think_begin && part_ == Part::content) {  // behind other text after all
    give(found, delta);
    text_.erase(0, first + found.size());
    return true;
  }
  part_is_fresh_ = true;
  blank_.clear();
  if (found == think_begin || found == think_end) {
    part_ = found == think_begin ? Part::thought : Part::content;
    text_.erase(0, first + found.size());
    return true;
  }
  part_ = Part::calls;
  calls_ = &*std::ranges::find_if(call_formats(), [&](const CallFormat& f) { return f.section_begin == found || f.call_begin == found; });
  text_.erase(0, first + (found == calls_->section_begin ? found.size() : 0));
  return true;
}

// One call, once it is whole; or the end of the section.
bool AnswerParser::take_call(AnswerDelta& delta) {
  const std::size_t begin = text_.find_first_not_of(blanks);
  if (begin == text_.npos) return false;
  const std::string_view rest = std::string_view(text_).substr(begin);
  const auto leave = [&](std::size_t n) {
    text_.erase(0, n);
    part_ = Part::content;
    return true;
  };
  if (!calls_->section_end.empty() && rest.starts_with(calls_->section_end)) return leave(begin + calls_->section_end.size());
  if (!rest.starts_with(calls_->call_begin)) {
    const bool undecided = calls_->call_begin.starts_with(rest) || calls_->section_end.starts_with(rest);
    return undecided ? false : leave(0);
  }
  const std::size_t end = rest.find(calls_->call_end);
  if (end == rest.npos) return false;
  const std::string_view body = rest.substr(calls_->call_begin.size(), end - calls_->call_begin.size());
  const std::size_t length = begin + end + calls_->call_end.size();
  if (auto call = calls_->parse(body, calls_->separator); call && !call->name.empty()) {
    delta.calls.push_back(std::move(*call));
    ++n_calls_;
  } else {
    give(std::string_view(text_).substr(0, length), delta);
  }
  text_.erase(0, length);
  return true;
}

void AnswerParser::give(std::string_view text, AnswerDelta& delta) {
  if (part_is_fresh_ && part_ != Part::start) text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  if (text.empty()) return;
  part_is_fresh_ = false;
  if (part_ == Part::thought) {
    const std::size_t end = text.find_last_not_of(blanks) + 1;  // 0 if all are blank
    if (end > 0) {
      delta.reasoning += blank_;
      delta.reasoning += text.substr(0, end);
      blank_.clear();
    }
    blank_ += text.substr(end);
    return;
  }
  if (part_ == Part::start && text.find_first_not_of(blanks) != text.npos) part_ = Part::content;
  if (part_ == Part::start) {  // may still turn out to stand before a thought
    blank_ += text;
    return;
  }
  delta.content += blank_;
  delta.content += text;
  blank_.clear();
}

AnswerDelta AnswerParser::finish() {
  AnswerDelta delta;
  if (part_ != Part::thought) part_ = Part::content;
  part_is_fresh_ = false;
  give(text_, delta);
  text_.clear();
  if (part_ == Part::content) delta.content += blank_;
  blank_.clear();
  return delta;
}

}  // namespace server
