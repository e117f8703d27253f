// Owned memory from a host's allocator.
#pragma once
#include <cstddef>
#include <memory>
#include <mla/host.hpp>
#include <span>

namespace mla::platform {

/// A block of memory from an Allocator; move-only. Empty when default-constructed.
class Buffer {
 public:
  Buffer() = default;
  /// Throws Error(out_of_memory) that names `what` and the size. The memory is not initialised.
  Buffer(std::shared_ptr<Allocator> allocator, std::size_t bytes, const char* what);
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

}  // namespace mla::platform
