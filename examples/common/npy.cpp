#include "common/npy.hpp"

#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>

#include "common/program.hpp"

namespace program {

static_assert(std::endian::native == std::endian::little, "the file says '<f4'");

NpyWriter::NpyWriter(std::string path, std::uint64_t n_rows, std::uint64_t n_columns) : path_(std::move(path)), part_(path_) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (const auto status = fs::status(path_, ignored); !fs::exists(status) || fs::is_regular_file(status)) {
    target_ = fs::exists(status) ? fs::canonical(path_, ignored).string() : path_;
    part_ = target_ + ".part";
  }
  errno = 0;
  file_.open(part_, std::ios::binary);
  check();
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(n_rows) + ", " +
                       std::to_string(n_columns) + "), }";
  constexpr std::size_t prefix = 10;  // magic, version, length
  header.append(63 - (prefix + header.size()) % 64, ' ');
  header += '\n';
  const auto length = static_cast<std::uint16_t>(header.size());
  file_.write("\x93NUMPY\x01\x00", 8);
  file_.write(reinterpret_cast<const char*>(&length), 2);
  file_ << header;
  check();
}

NpyWriter::~NpyWriter() {
  if (!target_.empty() && file_.is_open()) std::remove(part_.c_str());
}

void NpyWriter::check() {
  if (!file_) throw Failure("cannot write " + path_ + ": " + std::strerror(errno));
}

void NpyWriter::write(std::span<const float> values) {
  file_.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
  check();
}

void NpyWriter::finish() {
  file_.flush();
  check();
  if (!target_.empty() && std::rename(part_.c_str(), target_.c_str()) != 0)
    throw Failure("cannot write " + path_ + ": " + std::strerror(errno));
  target_.clear();
}

}  // namespace program
