#include "platform/json.hpp"

#include "refusal.hpp"
#include "scratch_folder.hpp"

using namespace mla;
using platform::parse_json;

namespace {

void refused(const std::function<void()>& call, const std::vector<std::string>& texts) { check_refused(call, Status::bad_file, texts); }

}  // namespace

TEST_CASE("JSON: depth, duplicate keys, malformed text and bytes") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(parse_json(nested(60), "f").root().is_array());
  for (const std::size_t depth : {std::size_t{70}, std::size_t{1'000'000}}) {
    refused([&] { parse_json(nested(depth), "file.json"); }, {"file.json", "nested"});
    refused([&] { parse_json(std::string(depth, '['), "file.json"); }, {"file.json"});
  }
  std::string objects;
  for (int i = 0; i < 100; ++i) objects += "{\"a\":";
  refused([&] { parse_json(objects, "file.json"); }, {"nested"});

  CHECK(parse_json(R"({"a": {"b": 1}, "c": {"b": 2}, "d": [{"b": 3}, {"b": 4}]})", "f").root().size() == 3);
  refused([&] { parse_json(R"({"a": 1, "b": {"a": 2}, "a": 3})", "file.json"); }, {"file.json", "key \"a\" twice"});

  for (const char* text : {"", "{", "{\"a\":}", "[1,]", "nul", "\"\xff\"", "\"\n\"", "{} {}", "1e999", "{\"a\": NaN}", "[\"\\ud800\"]",
                           "\x1b[2J"}) {
    INFO(text);
    refused([&] { parse_json(text, "file.json"); }, {"file.json: not JSON, or cut off, at byte"});
  }
}

TEST_CASE("JSON files: absent, empty, a folder, too large") {
  const ScratchFolder folder;
  check_refused([&] { platform::read_json_file(folder / "none.json"); }, Status::not_found, {"none.json"});
  check_refused([&] { platform::read_json_file(folder.path()); }, Status::io_error, {folder.path()});
  write_bytes(folder / "empty.json", "");
  refused([&] { platform::read_json_file(folder / "empty.json"); }, {"empty.json"});
  std::filesystem::resize_file(folder / "empty.json", (std::size_t{256} << 20) + 1);  // a hole
  refused([&] { platform::read_json_file(folder / "empty.json"); }, {"empty.json", "268435457"});
}
