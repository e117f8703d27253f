// An allocator that passes on to another and knows how much is out.
#pragma once
#include <cstdint>
#include <memory>
#include <mla/host.hpp>
#include <utility>

namespace mla::platform {

/// Used by one thread at a time.
class CountingAllocator final : public Allocator {
 public:
  /// nullptr: default_allocator().
  explicit CountingAllocator(std::shared_ptr<Allocator> memory = nullptr) : memory_(memory ? std::move(memory) : default_allocator()) {}

  void* allocate(std::size_t bytes, std::size_t alignment) noexcept override {
    void* const memory = memory_->allocate(bytes, alignment);
    if (memory != nullptr) bytes_ += bytes;
    return memory;
  }
  void deallocate(void* memory, std::size_t bytes) noexcept override {
    bytes_ -= bytes;
    memory_->deallocate(memory, bytes);
  }

  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  std::shared_ptr<Allocator> memory_;
  std::uint64_t bytes_ = 0;
};

}  // namespace mla::platform
