// Metadata keys of one architecture: typed access with the host's overrides, and a record of which were read.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "format/gguf.hpp"

namespace mla::model {

/// Keys are named without the architecture: integer("block_count") reads "deepseek2.block_count".
class Metadata {
 public:
  Metadata(const format::GgufFile& file, std::string architecture, const std::map<std::string, std::string>& overrides);

  std::optional<std::int64_t> integer(const std::string& key);
  std::optional<double> number(const std::string& key);
  std::optional<bool> boolean(const std::string& key);
  std::optional<std::string> text(const std::string& key);

  /// A size: 1 (or `least`) to 2^24. Throws Error(bad_file) if it is out of range, or missing and there is no fallback.
  int size(const std::string& key, std::optional<int> fallback = std::nullopt, int least = 1);

  [[noreturn]] void refuse(const std::string& key, const std::string& why) const;           ///< bad_file
  [[noreturn]] void not_implemented(const std::string& key, const std::string& why) const;  ///< unsupported
  /// Throws Error(unsupported) that names the first of the architecture's keys that was not asked for: it may change the
  /// mathematics. Throws invalid_argument for an override that was not asked for.
  void refuse_unread() const;

 private:
  const std::string* override_of(const std::string& key);
  std::string full(const std::string& key) const { return prefix_ + key; }

  const format::GgufFile& file_;
  std::string prefix_;
  const std::map<std::string, std::string>& overrides_;
  std::set<std::string> asked_;
};

}  // namespace mla::model
