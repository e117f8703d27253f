// What the fuzz targets share. Each is a file with LLVMFuzzerTestOneInput: linked with libFuzzer it looks for inputs that break a reader
// (preset fuzz), linked with replay.cpp it runs over the inputs in corpus/ as a test.
#pragma once
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mla/error.hpp>
#include <span>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/// Runs the reader; mla::Error is how it may refuse, anything else that leaves it is a finding.
template <typename Body>
int accept_errors(Body&& body) {
  try {
    body();
  } catch (const mla::Error&) {
  }
  return 0;
}

/// Makes the compiler, and the sanitizers, believe that a byte is of interest.
inline void look_at(std::byte byte) { asm volatile("" : : "r"(byte)); }
inline void look_at(std::span<const std::byte> bytes) {
  if (!bytes.empty()) look_at(bytes.front()), look_at(bytes[bytes.size() / 2]), look_at(bytes.back());
}

/// A folder in memory for readers that take a path; it goes with the process.
class Folder {
 public:
  Folder() : path_("/dev/shm/mla_fuzz_" + std::to_string(::getpid())) { std::filesystem::create_directory(path_); }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  void write(const std::string& name, std::string_view bytes) const {
    std::FILE* const file = std::fopen((*this / name).c_str(), "wb");
    if (file == nullptr || std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size() || std::fclose(file) != 0) std::abort();
  }

 private:
  std::string path_;
};

inline std::string_view text(const std::uint8_t* data, std::size_t size) { return {reinterpret_cast<const char*>(data), size}; }

}  // namespace fuzz
