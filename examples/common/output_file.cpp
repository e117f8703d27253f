#include "common/output_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "common/program.hpp"

namespace program {

OutputFile::OutputFile(std::string path) : path_(std::move(path)), part_(path_) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (const auto status = fs::status(path_, ignored); !fs::exists(status) || fs::is_regular_file(status)) {
    target_ = fs::exists(status) ? fs::canonical(path_, ignored).string() : path_;
    part_ = target_ + ".part";
  }
  errno = 0;
  file_.open(part_, std::ios::binary);
  check();
}

OutputFile::~OutputFile() {
  if (!target_.empty() && file_.is_open()) std::remove(part_.c_str());
}

void OutputFile::check() {
  if (!file_) throw Failure("cannot write " + path_ + ": " + std::strerror(errno));
}

void OutputFile::write(const void* bytes, std::size_t n) {
  file_.write(static_cast<const char*>(bytes), static_cast<std::streamsize>(n));
  check();
}

void OutputFile::finish() {
  file_.flush();
  check();
  if (!target_.empty() && std::rename(part_.c_str(), target_.c_str()) != 0)
    throw Failure("cannot write " + path_ + ": " + std::strerror(errno));
  target_.clear();
}

}  // namespace program
