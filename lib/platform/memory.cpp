#include "platform/memory.hpp"

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

constexpr std::size_t buffer_alignment = 4096;

Buffer::Buffer(std::shared_ptr<Allocator> allocator, std::size_t bytes, const char* what)
    : allocator_(allocator ? std::move(allocator) : default_allocator()), size_(bytes) {
  data_ = static_cast<std::byte*>(allocator_->allocate(bytes, buffer_alignment));
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

}  // namespace platform
}  // namespace mla
