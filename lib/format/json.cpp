#include "format/json.hpp"

#include "platform/fail.hpp"
#include "platform/file.hpp"

namespace mla::format {

nlohmann::json parse_json(std::string_view text, const std::string& path) {
  constexpr int deepest = 64;  // the parser itself has no limit, and what it built is destroyed recursively
  bool too_deep = false;
  const auto watch = [&](int depth, nlohmann::json::parse_event_t, const nlohmann::json&) {
    too_deep |= depth > deepest;
    return depth <= deepest;
  };
  nlohmann::json value;
  try {
    value = nlohmann::json::parse(text, watch);
  } catch (const nlohmann::json::exception& error) {
    fail(Status::bad_file, "{}: not valid JSON: {}", path, error.what());
  }
  if (too_deep) fail(Status::bad_file, "{}: JSON nested more than {} deep", path, deepest);
  return value;
}

nlohmann::json read_json_file(const std::string& path) {
  return parse_json(platform::read_text_file(path, std::uint64_t{256} << 20), path);
}

}  // namespace mla::format
