// Files: mapped or read whole for reading, written beside their name and renamed when complete.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mla/host.hpp>
#include <span>
#include <string>

#include "platform/memory.hpp"

namespace mla::platform {

/// A whole file, or memory that stands for one, as read-only bytes; move-only.
class FileView {
 public:
  FileView() = default;
  /// Maps the file. Throws Error(not_found / io_error) that names it.
  static FileView map(const std::string& path);
  /// Maps what an open descriptor refers to, which may be closed then; `name` is the path that errors name.
  static FileView map(int descriptor, const std::string& name);
  /// Reads the file into memory of `allocator`; polls `progress` (may be empty) with `phase`.
  static FileView read(const std::string& path, std::shared_ptr<Allocator> allocator, const ProgressCallback& progress = {},
                       std::string_view phase = "read");
  /// Reads it from its beginning, wherever the descriptor stands, and leaves that where it is.
  static FileView read(int descriptor, const std::string& name, std::shared_ptr<Allocator> allocator, const ProgressCallback& progress = {},
                       std::string_view phase = "read");
  /// Memory of someone else, which must outlive the view; `name` is the path that errors name.
  static FileView borrow(std::span<const std::byte> bytes, std::string name);
  ~FileView();
  FileView(FileView&& other) noexcept { swap(other); }
  FileView& operator=(FileView&& other) noexcept {
    swap(other);
    return *this;
  }

  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  const std::string& path() const noexcept { return path_; }
  /// The same bytes to write to, where the file was read; empty where it is mapped.
  std::span<std::byte> own_bytes() noexcept { return mapped_ ? std::span<std::byte>() : std::span(memory_.data(), memory_.size()); }

  /// Of a mapped file: `part` of it will be read next; and, its pages no longer count as this process's memory until they are read
  /// again. Advice to the kernel that changes no result; a file that was read stays as it is.
  void will_need(std::span<const std::byte> part) const noexcept;
  void let_go(std::span<const std::byte> part) const noexcept;

 private:
  void swap(FileView& other) noexcept;
  void advise(std::span<const std::byte> part, int advice) const noexcept;
  std::string path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  bool mapped_ = false;
  Buffer memory_;
};

/// A regular file read from its beginning on, straight into where its bytes belong. Throws like FileView.
class FileReader {
 public:
  explicit FileReader(const std::string& path);
  ~FileReader();
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;
  const std::string& path() const noexcept { return path_; }
  std::uint64_t size() const noexcept { return size_; }
  void read(std::span<std::byte> bytes);  ///< the next ones

 private:
  std::string path_;
  int fd_ = -1;
  std::uint64_t size_ = 0, position_ = 0;
};

/// What becomes of `path`.part when its writer goes without commit().
enum class Unfinished { removed, kept };

/// Writes `path`.part and renames it to `path` on commit(); without commit() nothing stays behind, or the part does. Where `path` is a link, its
/// target is what is replaced; a device or pipe is written in place. Throws Error(io_error) that names the file, also when
/// the disk is full.
class FileWriter {
 public:
  explicit FileWriter(const std::string& path, Unfinished unfinished = Unfinished::removed);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  void write(std::span<const std::byte> bytes);
  void write(const void* data, std::size_t bytes) { write({static_cast<const std::byte*>(data), bytes}); }
  std::uint64_t position() const noexcept { return position_; }
  /// Where the bytes are until commit(); empty for a device or pipe.
  std::string part_path() const { return target_.empty() ? "" : part_; }
  /// Goes on behind the first `bytes` of a part that was kept. Before anything is written.
  void resume_at(std::uint64_t bytes);
  void flush();  ///< to the file, where other readers see it
  /// Writes what is left and closes the file, which keeps its other name; commit() then only renames it. For files of which none may appear
  /// before all are whole.
  void seal(bool durable = true);
  /// `durable`: also waits for the disk, so that a power cut leaves the old file or the new one. Without it, it may leave a damaged one.
  void commit(bool durable = true);

 private:
  void write_through(std::span<const std::byte> bytes);
  std::string path_;    // as the caller named it
  std::string target_;  // what part_ is renamed to; empty: part_ is written in place
  std::string part_;
  Unfinished unfinished_;
  int fd_ = -1;
  std::uint64_t position_ = 0;
  std::unique_ptr<std::byte[]> buffer_;
  std::size_t buffered_ = 0;
};

/// Reads a small text file whole (config.json and the like). Throws like FileView, and bad_file above `limit` bytes.
std::string read_text_file(const std::string& path, std::uint64_t limit);
bool is_directory(const std::string& path);
bool file_exists(const std::string& path);
/// When the file was last written, in nanoseconds; 0 if it isn't there.
std::uint64_t change_time(const std::string& path);
/// Whether both names lead to one file; false if either doesn't exist.
bool is_same_file(const std::string& a, const std::string& b);

}  // namespace mla::platform
