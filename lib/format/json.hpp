// JSON files from outside: bounded in size and depth, errors that name the file.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace mla::format {

/// Throws Error(bad_file) for text that is no JSON, nested deeper than any model's files are, or that has a key twice in an object.
nlohmann::json parse_json(std::string_view text, const std::string& path);
/// Reads and parses a file of up to 256 MiB.
nlohmann::json read_json_file(const std::string& path);

}  // namespace mla::format
