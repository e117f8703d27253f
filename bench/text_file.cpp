#include "text_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "common/program.hpp"

namespace bench {
namespace {

[[noreturn]] void fail(const std::string& path) { throw program::Failure("cannot write " + path + ": " + std::strerror(errno)); }

}  // namespace

void check_writable(const std::string& path) {
  std::error_code ignored;
  const bool existed = std::filesystem::exists(path, ignored);
  errno = 0;
  if (!std::ofstream(path, std::ios::app)) fail(path);
  if (!existed) std::remove(path.c_str());
}

void write_text_file(const std::string& path, const std::string& text) {
  errno = 0;
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) fail(path);
}

}  // namespace bench
