// What an interrupted run had written: beside a file in the making, a list of its sections with their checksums.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mla::platform {

/// Nothing in it is taken at its word: a section counts once its bytes, read back, have the checksum.
class PartJournal {
 public:
  struct Whole {
    std::size_t sections = 0;
    std::uint64_t bytes = 0;  ///< that they take from the file's beginning
  };

  /// For the file `part`; the journal is `part`.journal. Nothing is opened yet.
  explicit PartJournal(std::string part) : part_(std::move(part)), path_(part_ + ".journal") {}
  ~PartJournal();
  PartJournal(const PartJournal&) = delete;
  PartJournal& operator=(const PartJournal&) = delete;

  /// The sections of `part` that a run of the same `id` wrote and that are still so, up to the first that isn't; opens the journal to
  /// go on behind them. `keep_going` is called now and then, and throws to stop. Throws Error(io_error).
  Whole open(std::uint64_t id, const std::function<void()>& keep_going);
  /// The next section ends at `end` and is in the file.
  void add(std::uint64_t end, std::uint64_t checksum);
  void remove() noexcept;

 private:
  struct Section {
    std::uint64_t end, checksum;
  };
  std::vector<Section> read(std::uint64_t id) const;
  void write(const void* data, std::size_t bytes);

  std::string part_, path_;
  int fd_ = -1;
};

}  // namespace mla::platform
