// The rules of docs/architecture.md that a compiler doesn't check.
#include "catch.hpp"

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

const fs::path source = MLA_SOURCE_DIR;

struct Include {
  std::string file, target;
  bool angle;
};

bool is_source(const fs::path& path) { return std::set<std::string>{".cpp", ".hpp", ".h", ".c", ".inc"}.contains(path.extension()); }

std::vector<Include> includes_below(const fs::path& folder) {
  static const std::regex pattern(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  std::vector<Include> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file() || !is_source(entry.path())) continue;
    std::ifstream file(entry.path());
    std::smatch match;
    for (std::string line; std::getline(file, line);)
      if (std::regex_search(line, match, pattern))
        found.push_back({fs::relative(entry.path(), source).string(), match[2], match[1] == "<"});
  }
  return found;
}

// What each layer may include besides itself; `model` alone reads `format`, and `engine` through it.
const std::map<std::string, std::set<std::string>> allowed{
    {"platform", {}},
    {"quant", {"platform"}},
    {"format", {"platform", "quant"}},
    {"kernels", {"platform", "quant"}},
    {"cache", {"platform", "quant", "kernels"}},
    {"layers", {"platform", "quant", "kernels"}},
    {"moe", {"platform", "quant", "kernels", "layers"}},
    {"attention", {"platform", "quant", "kernels", "layers", "cache"}},
    {"text", {"platform"}},
    {"sampling", {"platform"}},
    {"model", {"platform", "quant", "format", "kernels", "cache", "layers", "moe", "attention", "text"}},
    {"engine", {"platform", "quant", "kernels", "cache", "layers", "moe", "attention", "model", "text", "sampling"}},
};

std::string first_part(const std::string& path) { return path.substr(0, path.find('/')); }

}  // namespace

TEST_CASE("layers include only what lies below them") {
  for (const auto& [layer, lower] : allowed) {
    if (!fs::exists(source / "lib" / layer)) FAIL("no folder lib/" << layer);
    for (const Include& include : includes_below(source / "lib" / layer)) {
      if (include.angle) continue;
      const std::string target = first_part(include.target);
      INFO(include.file << " includes " << include.target);
      CHECK((target == layer || lower.contains(target)));
    }
  }
  for (const auto& entry : fs::directory_iterator(source / "lib"))
    if (entry.is_directory()) CHECK(allowed.contains(entry.path().filename()));
}

TEST_CASE("public headers include only the standard library and each other") {
  for (const Include& include : includes_below(source / "include")) {
    INFO(include.file << " includes " << include.target);
    CHECK(include.angle);
    CHECK((include.target.starts_with("mla/") || include.target.find('/') == std::string::npos));
    if (!include.target.starts_with("mla/")) CHECK((include.target.find('.') == std::string::npos || include.target.starts_with("std")));
  }
}

TEST_CASE("programs, examples and the C interface see only include/mla") {
  for (const char* folder : {"capi", "examples"})
    for (const Include& include : includes_below(source / folder)) {
      INFO(include.file << " includes " << include.target);
      CHECK_FALSE(allowed.contains(first_part(include.target)));
    }
}

TEST_CASE("one file includes oneDNN, and operating-system headers stay in platform") {
  std::set<std::string> onednn;
  const std::regex system_header(R"(^(sys/.*|unistd\.h|fcntl\.h|sched\.h|pthread\.h|numa\.h|signal\.h|dlfcn\.h)$)");
  for (const Include& include : includes_below(source / "lib")) {
    if (include.target.find("dnnl") != std::string::npos) onednn.insert(include.file);
    INFO(include.file << " includes " << include.target);
    if (!include.file.starts_with("lib/platform/")) CHECK_FALSE(std::regex_match(include.target, system_header));
  }
  CHECK(onednn == std::set<std::string>{"lib/kernels/sgemm_onednn.cpp"});
}
