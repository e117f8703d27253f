#include "text/jinja/marked_text.hpp"

#include <algorithm>

#include "platform/fail.hpp"

namespace mla::text::jinja {

void MarkedText::append(std::string_view bytes, bool trusted) {
  if (bytes.empty()) return;
  if (bytes.size() > max_text_bytes - bytes_.size())
    fail(Status::unsupported, "a string grows beyond the limit of {} MiB", max_text_bytes >> 20);
  bytes_.append(bytes);
  if (!runs_.empty() && runs_.back().trusted == trusted)
    runs_.back().end = bytes_.size();
  else
    runs_.push_back({bytes_.size(), trusted});
}

void MarkedText::append(const MarkedText& other, std::size_t begin, std::size_t end, bool keep_trust) {
  const std::string_view bytes = other.bytes_;
  if (!keep_trust) return append(bytes.substr(begin, end - begin), false);
  for (std::size_t run = other.run_at(begin); begin < end; ++run) {
    const std::size_t stop = std::min(end, other.runs_[run].end);
    append(bytes.substr(begin, stop - begin), other.runs_[run].trusted);
    begin = stop;
  }
}

MarkedText MarkedText::part(std::size_t begin, std::size_t end) const {
  MarkedText result;
  if (begin < end) result.append(*this, begin, end);
  return result;
}

bool MarkedText::trusted(std::size_t begin, std::size_t end) const {
  if (begin >= end) return true;
  const Run& run = runs_[run_at(begin)];  // neighbours differ, so a trusted range lies in one run
  return run.trusted && run.end >= end;
}

std::size_t MarkedText::run_at(std::size_t position) const {
  return static_cast<std::size_t>(
      std::upper_bound(runs_.begin(), runs_.end(), position, [](std::size_t p, const Run& run) { return p < run.end; }) -
      runs_.begin());
}

}  // namespace mla::text::jinja
