#include "format/json.hpp"

#include <set>
#include <vector>

#include "platform/fail.hpp"
#include "platform/file.hpp"

namespace mla::format {

nlohmann::json parse_json(std::string_view text, const std::string& path) {
  using Event = nlohmann::json::parse_event_t;
  constexpr int deepest = 64;  // the parser itself has no limit, and what it built is destroyed recursively
  std::vector<std::set<std::string>> keys(deepest + 1);  // of the objects that are open, by depth
  const auto watch = [&](int depth, Event event, const nlohmann::json& parsed) {
    if (depth > deepest) fail(Status::bad_file, "{}: JSON nested more than {} deep", path, deepest);
    const auto d = static_cast<std::size_t>(depth);
    if (event == Event::object_start) keys[d].clear();
    if (event == Event::key && !keys[d - 1].insert(parsed.get<std::string>()).second)
      fail(Status::bad_file, "{}: JSON key {} occurs twice in one object", path, parsed.get<std::string>());
    return true;
  };
  try {
    return nlohmann::json::parse(text, watch);
  } catch (const nlohmann::json::exception& error) {
    fail(Status::bad_file, "{}: not valid JSON: {}", path, error.what());
  }
}

nlohmann::json read_json_file(const std::string& path) {
  return parse_json(platform::read_text_file(path, std::uint64_t{256} << 20), path);
}

}  // namespace mla::format
