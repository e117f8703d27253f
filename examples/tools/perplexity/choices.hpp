// Multiple choice: which of several endings a model thinks the likeliest.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace program::perplexity {

struct Choice {
  std::string context;
  std::vector<std::string> endings;  ///< at least two
  std::size_t right = 0;             ///< index of the right one
};

/// Tasks from text, of which `name` is told in errors. Either six lines for each: the context, the number of the right ending (0 to 3), four
/// endings; or, where the text begins with '{', one JSON object a line: "context", "endings" (from 2 to 64), "label". Throws Failure.
std::vector<Choice> parse_choices(const std::string& text, const std::string& name);

}  // namespace program::perplexity
