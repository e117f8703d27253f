// A GGUF file made in memory.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// Keys and tensors are announced first; allocate() then writes the header and leaves the tensors' bytes to the caller.
class GgufImage {
 public:
  void add(std::string_view key, std::uint32_t value);
  void add(std::string_view key, float value);
  void add(std::string_view key, bool value);
  void add(std::string_view key, std::string_view value);
  /// shape: row width first; type: GGUF's number.
  void add_tensor(std::string_view name, std::span<const std::int64_t> shape, std::uint32_t type, std::size_t bytes);

  /// huge_pages: asks for them. Throws std::bad_alloc.
  void allocate(bool huge_pages);
  std::size_t n_tensors() const noexcept { return places_.size(); }
  /// After allocate(): the bytes of the i-th tensor announced, and the whole file, which `memory` keeps.
  std::span<std::byte> tensor(std::size_t i) const noexcept;
  std::span<const std::byte> bytes() const noexcept { return {memory_.get(), size_}; }
  std::shared_ptr<const void> memory() const noexcept { return memory_; }

 private:
  struct Place {
    std::size_t offset, bytes;  // from the begin of the data
  };
  std::string keys_, tensors_;  // encoded
  std::uint64_t n_keys_ = 0;
  std::vector<Place> places_;
  std::size_t data_bytes_ = 0, data_begin_ = 0, size_ = 0;
  std::shared_ptr<std::byte[]> memory_;
};

}  // namespace bench
