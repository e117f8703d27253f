#include "server/stop_matcher.hpp"

#include <algorithm>
#include <utility>

namespace server {

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::ranges::sort(stops_, std::ranges::greater{}, &std::string::size);
}

std::string StopMatcher::push(std::string_view text) {
  if (stopped_) return "";
  if (stops_.empty()) return std::string(text);
  const std::size_t seen = held_.size();
  held_ += text;
  for (std::size_t end = seen + 1, begin = 0; end <= held_.size(); ++end)
    if (ends_with_stop(end, begin)) {
      stopped_ = true;
      std::string shown = held_.substr(0, begin);
      held_.clear();
      return shown;
    }
  const std::size_t keep = possible_beginning();
  std::string shown = held_.substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return shown;
}

std::string StopMatcher::finish() { return std::exchange(held_, {}); }

bool StopMatcher::ends_with_stop(std::size_t end, std::size_t& begin) const noexcept {
  for (const std::string& stop : stops_) {  // the longest first
    if (stop.size() > end || held_.compare(end - stop.size(), stop.size(), stop) != 0) continue;
    begin = end - stop.size();
    return true;
  }
  return false;
}

// Length of the longest end of the text that begins a stop string.
std::size_t StopMatcher::possible_beginning() const noexcept {
  std::size_t longest = 0;
  for (const std::string& stop : stops_)
    for (std::size_t n = std::min(stop.size() - 1, held_.size()); n > longest; --n)
      if (held_.compare(held_.size() - n, n, stop, 0, n) == 0) longest = n;
  return longest;
}

}  // namespace server
