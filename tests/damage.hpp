// Damaged files: a reader must load them or refuse them with one clear line, and take no memory to speak of.
#pragma once
#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <functional>
#include <mla/error.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

#include "catch.hpp"
#include "largest_allocation.hpp"
#include "scratch_folder.hpp"

/// A file whose bytes can be changed and put back.
class DamagedFile {
 public:
  DamagedFile(std::string path, std::string bytes) : path_(std::move(path)), bytes_(std::move(bytes)) {
    write_bytes(path_, bytes_);
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd_ < 0) throw std::runtime_error("cannot open " + path_);
  }
  ~DamagedFile() { ::close(fd_); }
  DamagedFile(const DamagedFile&) = delete;
  DamagedFile& operator=(const DamagedFile&) = delete;

  const std::string& path() const { return path_; }
  std::size_t size() const { return bytes_.size(); }

  void flip(std::size_t bit) { put(bit / 8, static_cast<char>(bytes_[bit / 8] ^ (1 << bit % 8))); }
  void put(std::size_t at, char byte) { check(::pwrite(fd_, &byte, 1, static_cast<off_t>(at)) == 1); }
  void restore(std::size_t at) { put(at, bytes_[at]); }
  void cut(std::size_t size) { check(::ftruncate(fd_, static_cast<off_t>(size)) == 0); }

 private:
  void check(bool good) const {
    if (!good) throw std::runtime_error("cannot change " + path_);
  }
  std::string path_, bytes_;
  int fd_ = -1;
};

struct Outcome {
  bool loaded = false;
  std::string message;
};

/// Runs `load`. FAILs unless it succeeds or throws an mla::Error of status bad_file or unsupported whose one line names `name`.
inline Outcome load_or_refuse(const std::function<void()>& load, const std::string& name, const std::string& what) {
  try {
    load();
    return {true, {}};
  } catch (const mla::Error& error) {
    const std::string message = error.what();
    if (error.status() != mla::Status::bad_file && error.status() != mla::Status::unsupported)
      FAIL(what << ": status " << mla::to_string(error.status()) << ": " << message);
    if (message.find(name) == std::string::npos || message.find('\n') != std::string::npos) FAIL(what << ": " << message);
    return {false, message};
  } catch (const std::exception& error) {
    FAIL(what << ": not an mla::Error: " << error.what());
  }
  return {};
}

/// Flips one bit after another; `load` reads file.path(), or the folder `named`, which a refusal names. The largest allocation stays
/// below `most_memory`.
inline void flip_bits(DamagedFile& file, const std::function<void()>& load, std::size_t most_memory,
                      const std::function<bool(std::size_t bit)>& wanted, const std::string& named = {}) {
  std::size_t n_loaded = 0, n_refused = 0;
  for (std::size_t bit = 0; bit < 8 * file.size(); ++bit) {
    if (!wanted(bit)) continue;
    file.flip(bit);
    reset_largest_allocation();
    const std::string what = "bit " + std::to_string(bit % 8) + " of byte " + std::to_string(bit / 8) + " flipped";
    ++(load_or_refuse(load, named.empty() ? file.path() : named, what).loaded ? n_loaded : n_refused);
    if (largest_allocation() > most_memory) FAIL(what << ": took a block of " << largest_allocation() << " bytes");
    file.restore(bit / 8);
  }
  INFO(n_loaded << " loaded, " << n_refused << " refused");
  CHECK(n_refused > 0);  // otherwise nothing was tested
  load();
}

/// Cuts the file to every size below its own: each is refused, those that only lack padding behind `needed` bytes apart.
inline void cut_everywhere(DamagedFile& file, const std::function<void()>& load, std::size_t needed, std::size_t most_memory) {
  for (std::size_t size = file.size(); size-- > 0;) {
    file.cut(size);
    reset_largest_allocation();
    const std::string what = "cut to " + std::to_string(size) + " bytes";
    const Outcome outcome = load_or_refuse(load, file.path(), what);
    if (outcome.loaded != (size >= needed)) FAIL(what << (outcome.loaded ? ": was loaded" : ": " + outcome.message));
    if (largest_allocation() > most_memory) FAIL(what << ": took a block of " << largest_allocation() << " bytes");
  }
}
