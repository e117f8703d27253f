#include "platform/part_journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "platform/checksum.hpp"
#include "platform/fail.hpp"
#include "platform/file.hpp"

namespace mla::platform {
namespace {

constexpr std::uint64_t magic = 0x314c4e524a414c4d;  // "MLAJRNL1"
struct Head {
  std::uint64_t magic, id;
};

// Whether the next bytes of the file are there and have this checksum.
bool is_whole(FileReader& file, std::uint64_t bytes, std::uint64_t wanted, const std::function<void()>& keep_going) {
  constexpr std::uint64_t piece = std::uint64_t{8} << 20;
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min(piece, bytes)));
  Checksum sum;
  for (std::uint64_t done = 0; done < bytes; done += buffer.size()) {
    keep_going();
    buffer.resize(static_cast<std::size_t>(std::min(piece, bytes - done)));
    file.read(buffer);
    sum.update(buffer);
  }
  return sum.value() == wanted;
}

}  // namespace

PartJournal::~PartJournal() {
  if (fd_ >= 0) ::close(fd_);
}

std::vector<PartJournal::Section> PartJournal::read(std::uint64_t id) const {
  if (!file_exists(path_) || !file_exists(part_)) return {};
  FileReader file(path_);
  Head head{};
  if (file.size() < sizeof head) return {};
  file.read({reinterpret_cast<std::byte*>(&head), sizeof head});
  if (head.magic != magic || head.id != id) return {};
  std::vector<Section> sections((file.size() - sizeof head) / sizeof(Section));  // a half-written last one is left out
  file.read(std::as_writable_bytes(std::span(sections)));
  return sections;
}

PartJournal::Whole PartJournal::open(std::uint64_t id, const std::function<void()>& keep_going) {
  Whole whole;
  std::vector<Section> sections = read(id);
  if (!sections.empty()) {
    FileReader file(part_);
    for (const Section& section : sections) {
      if (section.end <= whole.bytes || section.end > file.size() || !is_whole(file, section.end - whole.bytes, section.checksum, keep_going)) break;
      ++whole.sections;
      whole.bytes = section.end;
    }
  }
  sections.resize(whole.sections);
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd_ < 0) fail(Status::io_error, "cannot create {}: {}", path_, std::strerror(errno));
  const Head head{magic, id};
  write(&head, sizeof head);
  write(sections.data(), sections.size() * sizeof(Section));
  return whole;
}

void PartJournal::add(std::uint64_t end, std::uint64_t checksum) {
  const Section section{end, checksum};
  write(&section, sizeof section);
}

void PartJournal::write(const void* data, std::size_t bytes) {
  for (const auto* from = static_cast<const char*>(data); bytes > 0;) {
    const ssize_t n = ::write(fd_, from, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(Status::io_error, "cannot write {}: {}", path_, std::strerror(errno));
    from += n;
    bytes -= static_cast<std::size_t>(n);
  }
}

void PartJournal::remove() noexcept { ::unlink(path_.c_str()); }

}  // namespace mla::platform
