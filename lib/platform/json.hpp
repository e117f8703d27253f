// JSON files from outside: bounded in size and depth, errors that name the file.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace mla::platform {

/// A parsed file, or null. nlohmann's destructor takes memory, and ends the program where there is none; this one's does not.
class JsonDocument {
 public:
  JsonDocument() = default;
  ~JsonDocument();
  JsonDocument(JsonDocument&&) noexcept = default;
  JsonDocument& operator=(JsonDocument&&) = delete;

  const nlohmann::json& root() const noexcept { return root_; }

 private:
  friend JsonDocument parse_json(std::string_view text, const std::string& path);
  nlohmann::json root_;
};

/// Throws Error(bad_file) for text that is no JSON, nested deeper than any model's files are, or that has a key twice in an object.
JsonDocument parse_json(std::string_view text, const std::string& path);
/// Reads and parses a file of up to 256 MiB.
JsonDocument read_json_file(const std::string& path);

}  // namespace mla::platform
