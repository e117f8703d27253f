#include "platform/memory.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <utility>

#include "platform/fail.hpp"

namespace mla {
namespace {

class HeapAllocator final : public Allocator {
 public:
  void* allocate(std::size_t bytes, std::size_t alignment) noexcept override {
    void* memory = nullptr;
    return posix_memalign(&memory, alignment, bytes == 0 ? alignment : bytes) == 0 ? memory : nullptr;
  }
  void deallocate(void* memory, std::size_t) noexcept override { std::free(memory); }
};

}  // namespace

std::shared_ptr<Allocator> default_allocator() {
  static const auto allocator = std::make_shared<HeapAllocator>();
  return allocator;
}

namespace platform {

Buffer::Buffer(std::shared_ptr<Allocator> allocator, std::size_t bytes, const char* what, std::size_t alignment)
    : allocator_(allocator ? std::move(allocator) : default_allocator()), size_(bytes) {
  data_ = static_cast<std::byte*>(allocator_->allocate(bytes, alignment));
  if (data_ == nullptr) fail(Status::out_of_memory, "no memory for {}: {} bytes", what, bytes);
}

Buffer::~Buffer() {
  if (data_ != nullptr) allocator_->deallocate(data_, size_);
}

void Buffer::swap(Buffer& other) noexcept {
  std::swap(allocator_, other.allocator_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
}

namespace {

// Of the whole pages inside.
void advise(std::span<std::byte> memory, int advice) noexcept {
  const auto first = reinterpret_cast<std::uintptr_t>(memory.data()), begin = (first + page_bytes - 1) / page_bytes * page_bytes;
  const std::uintptr_t end = (first + memory.size()) / page_bytes * page_bytes;
  if (begin < end) (void)::madvise(reinterpret_cast<void*>(begin), end - begin, advice);
}

}  // namespace

void advise_huge_pages(std::span<std::byte> memory) noexcept {
#ifdef MADV_HUGEPAGE
  advise(memory, MADV_HUGEPAGE);
#else
  (void)memory;
#endif
}

void advise_small_pages(std::span<std::byte> memory) noexcept {
#ifdef MADV_NOHUGEPAGE
  advise(memory, MADV_NOHUGEPAGE);
#else
  (void)memory;
#endif
}

}  // namespace platform
}  // namespace mla
