// Stop strings: the result must not depend on how the text is cut.
#include "server/stop_matcher.hpp"

#include <random>

#include "catch.hpp"

using server::StopMatcher;

namespace {

// By definition: the first end of any stop string, and of those that end there the longest.
std::string cut_at_stop(const std::string& text, const std::vector<std::string>& stops, bool& stopped) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const std::string& stop : stops)
      if (text.substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
    stopped = longest > 0;
    if (stopped) return text.substr(0, end - longest);
  }
  return text;
}

}  // namespace

TEST_CASE("stop strings: any text in any pieces comes out as the whole text cut once") {
  std::mt19937 random(1);
  const auto below = [&](unsigned n) { return random() % n; };
  const auto word = [&](unsigned longest) {
    std::string text(1 + below(longest), 'a');
    for (char& c : text) c = static_cast<char>('a' + below(2));
    return text;
  };
  int n_stopped = 0;
  for (int round = 0; round < 5000; ++round) {
    std::vector<std::string> stops;
    for (unsigned i = below(4); i > 0; --i) stops.push_back(word(6));
    const std::string text = word(40);
    StopMatcher matcher(stops);
    std::string out;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t n = 1 + below(4);
      const std::string piece = matcher.push(text.substr(begin, n));
      out += piece;
      begin += n;
    }
    bool stopped = false;
    const std::string expected = cut_at_stop(text, stops, stopped);
    CAPTURE(text, stops);
    CHECK(matcher.stopped() == stopped);
    CHECK(out + matcher.finish() == expected);
    n_stopped += stopped;
  }
  CHECK(n_stopped > 1000);
  CHECK(n_stopped < 4900);
}

TEST_CASE("stop strings: only what may become one is held back") {
  StopMatcher matcher({"</answer>", "\n\n"});
  CHECK(matcher.push("one <") == "one ");
  CHECK(matcher.held() == 1);
  CHECK(matcher.push("b> two\n") == "<b> two");
  CHECK(matcher.push("three") == "\nthree");
  CHECK(matcher.push("</ans").empty());
  CHECK_FALSE(matcher.stopped());
  CHECK(matcher.push("wer> more").empty());
  CHECK(matcher.stopped());
  CHECK(matcher.push("more").empty());
  CHECK(matcher.finish().empty());
}
