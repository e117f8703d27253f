// Owned memory from a host's allocator.
#pragma once
#include <cstddef>
#include <memory>
#include <mla/host.hpp>
#include <span>

namespace mla::platform {

constexpr std::size_t page_bytes = 4096, huge_page_bytes = std::size_t{2} << 20;

/// A block of memory from an Allocator; move-only. Empty when default-constructed.
class Buffer {
 public:
  Buffer() = default;
  /// Throws Error(out_of_memory) that names `what` and the size. The memory is not initialised.
  Buffer(std::shared_ptr<Allocator> allocator, std::size_t bytes, const char* what, std::size_t alignment = page_bytes);
  ~Buffer();
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }

  std::byte* data() noexcept { return data_; }
  const std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  template <typename T>
  std::span<T> as() noexcept {
    return {reinterpret_cast<T*>(data_), size_ / sizeof(T)};
  }

 private:
  void swap(Buffer& other) noexcept;
  std::shared_ptr<Allocator> allocator_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Asks the kernel to back memory that is not touched yet with small pages only, whatever it does otherwise.
void advise_small_pages(std::span<std::byte> memory) noexcept;

/// Asks the kernel to back memory that is not touched yet with huge pages. Only advice: without them all works, more slowly.
void advise_huge_pages(std::span<std::byte> memory) noexcept;

}  // namespace mla::platform
