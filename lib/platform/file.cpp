#include "platform/file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "platform/fail.hpp"

namespace mla::platform {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void fail_errno(const char* doing, const std::string& path) {
  const int error = errno;
  fail(error == ENOENT ? Status::not_found : error == ENOMEM ? Status::out_of_memory : Status::io_error, "cannot {} {}: {}", doing,
       path, std::strerror(error));
}

constexpr int open_flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;  // a pipe is then refused instead of waited for

std::size_t regular_file_size(int fd, const std::string& path) {
  struct stat info;
  if (::fstat(fd, &info) != 0) fail_errno("examine", path);
  if (!S_ISREG(info.st_mode)) fail(Status::io_error, "cannot read {}: not a regular file", path);
  return static_cast<std::size_t>(info.st_size);
}

void read_exactly(int fd, std::byte* out, std::size_t bytes, std::uint64_t position, const std::string& path) {
  while (bytes > 0) {
    const ssize_t got = ::pread(fd, out, std::min<std::size_t>(bytes, std::size_t{1} << 30), static_cast<off_t>(position));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno("read", path);
    if (got == 0) fail(Status::io_error, "cannot read {}: it became shorter while it was read", path);
    out += got;
    bytes -= static_cast<std::size_t>(got);
    position += static_cast<std::uint64_t>(got);
  }
}

// Where the bytes of a regular file at `path` belong: the end of a chain of links.
std::string link_target(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(path.c_str(), nullptr), std::free);
  return resolved ? resolved.get() : path;
}

}  // namespace

FileView FileView::map(const std::string& path) {
  const Descriptor fd(::open(path.c_str(), open_flags));
  if (fd.get() < 0) fail_errno("open", path);
  return map(fd.get(), path);
}

FileView FileView::map(int descriptor, const std::string& name) {
  FileView view;
  view.path_ = name;
  const std::size_t size = regular_file_size(descriptor, name);
  if (size == 0) return view;
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
  if (address == MAP_FAILED) fail_errno("map", name);
  view.data_ = static_cast<const std::byte*>(address);
  view.size_ = size;
  view.mapped_ = true;
  return view;
}

FileView FileView::read(const std::string& path, std::shared_ptr<Allocator> allocator, const ProgressCallback& progress,
                        std::string_view phase) {
  const Descriptor fd(::open(path.c_str(), open_flags));
  if (fd.get() < 0) fail_errno("open", path);
  return read(fd.get(), path, std::move(allocator), progress, phase);
}

FileView FileView::read(int descriptor, const std::string& name, std::shared_ptr<Allocator> allocator, const ProgressCallback& progress,
                        std::string_view phase) {
  FileView view;
  view.path_ = name;
  const std::size_t size = regular_file_size(descriptor, name);
  view.memory_ = Buffer(std::move(allocator), size, name.c_str());
  constexpr std::size_t chunk = std::size_t{16} << 20;  // small enough to notice a cancel at once
  for (std::size_t done = 0; done < size; done += chunk) {
    if (progress && !progress(phase, done, size)) fail(Status::aborted, "reading {} was cancelled", name);
    read_exactly(descriptor, view.memory_.data() + done, std::min(chunk, size - done), done, name);
  }
  view.data_ = view.memory_.data();
  view.size_ = size;
  return view;
}

FileView FileView::borrow(std::span<const std::byte> bytes, std::string name) {
  FileView view;
  view.path_ = std::move(name);
  view.data_ = bytes.data();
  view.size_ = bytes.size();
  return view;
}

FileView::~FileView() {
  if (mapped_) ::munmap(const_cast<std::byte*>(data_), size_);
}

void FileView::will_need(std::span<const std::byte> part) const noexcept { advise(part, MADV_WILLNEED); }
void FileView::let_go(std::span<const std::byte> part) const noexcept { advise(part, MADV_DONTNEED); }

// Whole pages, outwards: a neighbour that shares one comes back from the page cache.
void FileView::advise(std::span<const std::byte> part, int advice) const noexcept {
  if (!mapped_ || part.empty()) return;
  const auto first = static_cast<std::size_t>(part.data() - data_), begin = first / page_bytes * page_bytes;
  (void)::madvise(const_cast<std::byte*>(data_) + begin, std::min(first + part.size(), size_) - begin, advice);
}

void FileView::swap(FileView& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_, other.mapped_);
  std::swap(memory_, other.memory_);
}

FileReader::FileReader(const std::string& path) : path_(path), fd_(::open(path.c_str(), open_flags)) {
  if (fd_ < 0) fail_errno("open", path);
  try {
    size_ = regular_file_size(fd_, path);
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

FileReader::~FileReader() { ::close(fd_); }

void FileReader::read(std::span<std::byte> bytes) {
  read_exactly(fd_, bytes.data(), bytes.size(), position_, path_);
  position_ += bytes.size();
}

constexpr std::size_t write_buffer_bytes = std::size_t{1} << 20;

FileWriter::FileWriter(const std::string& path, Unfinished unfinished)
    : path_(path), part_(path), unfinished_(unfinished), buffer_(new std::byte[write_buffer_bytes]) {
  struct stat info;
  int flags = O_WRONLY | O_CLOEXEC;
  if (::stat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode)) {
    target_ = link_target(path);
    part_ = target_ + ".part";
    flags |= unfinished == Unfinished::kept ? O_CREAT : O_CREAT | O_TRUNC;
  }
  fd_ = ::open(part_.c_str(), flags, 0666);
  if (fd_ < 0) fail_errno("create", path_);
}

FileWriter::~FileWriter() {
  if (fd_ >= 0) ::close(fd_);
  if (target_.empty()) return;
  struct stat info;
  const bool is_empty = ::stat(part_.c_str(), &info) == 0 && info.st_size == 0;
  if (unfinished_ == Unfinished::removed || is_empty) ::unlink(part_.c_str());
}

void FileWriter::resume_at(std::uint64_t bytes) {
  const auto offset = static_cast<off_t>(bytes);
  if (::ftruncate(fd_, offset) != 0 || ::lseek(fd_, offset, SEEK_SET) != offset) fail_errno("write", path_);
  position_ = bytes;
}

void FileWriter::write(std::span<const std::byte> bytes) {
  if (bytes.size() >= write_buffer_bytes) {  // no use in a copy
    flush();
    write_through(bytes);
    position_ += bytes.size();
    return;
  }
  while (!bytes.empty()) {
    const std::size_t n = std::min(bytes.size(), write_buffer_bytes - buffered_);
    std::memcpy(buffer_.get() + buffered_, bytes.data(), n);
    buffered_ += n;
    position_ += n;
    bytes = bytes.subspan(n);
    if (buffered_ == write_buffer_bytes) flush();
  }
}

void FileWriter::flush() { write_through({buffer_.get(), std::exchange(buffered_, 0)}); }

void FileWriter::write_through(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_errno("write", path_);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void FileWriter::seal(bool durable) {
  if (fd_ < 0) return;
  flush();
  buffer_.reset();
  if (durable && ::fsync(fd_) != 0 && errno != EINVAL) fail_errno("write", path_);  // EINVAL: a pipe or the like
  if (::close(std::exchange(fd_, -1)) != 0) fail_errno("finish", path_);
}

void FileWriter::commit(bool durable) {
  seal(durable);
  if (target_.empty()) return;
  if (::rename(part_.c_str(), target_.c_str()) != 0) fail_errno("finish", path_);
  target_.clear();
}

std::string read_text_file(const std::string& path, std::uint64_t limit) {
  const Descriptor fd(::open(path.c_str(), open_flags));
  if (fd.get() < 0) fail_errno("open", path);
  const std::size_t size = regular_file_size(fd.get(), path);
  if (size > limit) fail(Status::bad_file, "{}: {} bytes, where at most {} make sense", path, size, limit);
  std::string text(size, '\0');
  read_exactly(fd.get(), reinterpret_cast<std::byte*>(text.data()), size, 0, path);
  return text;
}

bool is_directory(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool file_exists(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

std::uint64_t change_time(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return 0;
  return static_cast<std::uint64_t>(info.st_mtim.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(info.st_mtim.tv_nsec);
}

bool is_same_file(const std::string& a, const std::string& b) {
  struct stat first, second;
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 && first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

}  // namespace mla::platform
