#include "faults.hpp"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>

namespace {

std::atomic<long> limit{0}, count{0}, blocks{0};

bool fails() {
  if (limit.load() == 0) return false;
  return count.fetch_add(1) + 1 == limit.load();
}

void* take(std::size_t bytes, std::size_t alignment) noexcept {
  if (fails()) return nullptr;
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, bytes == 0 ? 1 : bytes) != 0) return nullptr;
  ++blocks;
  return memory;
}

void give(void* memory) noexcept {
  if (memory == nullptr) return;
  --blocks;
  std::free(memory);
}

void* take_or_throw(std::size_t bytes, std::size_t alignment) {
  void* memory = take(bytes, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

class CountingAllocator final : public mla::Allocator {
 public:
  void* allocate(std::size_t bytes, std::size_t alignment) noexcept override { return take(bytes, alignment); }
  void deallocate(void* memory, std::size_t) noexcept override { give(memory); }
};

template <typename Function>
Function* next_definition(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

namespace faults {

void arm(long n) { count = 0, limit = n; }
long requests() { return count; }
void disarm() { limit = 0; }
long held() { return blocks; }
std::shared_ptr<mla::Allocator> allocator() { return std::make_shared<CountingAllocator>(); }

}  // namespace faults

constexpr std::size_t plain = alignof(std::max_align_t);

void* operator new(std::size_t bytes) { return take_or_throw(bytes, plain); }
void* operator new[](std::size_t bytes) { return take_or_throw(bytes, plain); }
void* operator new(std::size_t bytes, std::align_val_t alignment) { return take_or_throw(bytes, static_cast<std::size_t>(alignment)); }
void* operator new[](std::size_t bytes, std::align_val_t alignment) { return take_or_throw(bytes, static_cast<std::size_t>(alignment)); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return take(bytes, plain); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return take(bytes, plain); }
void operator delete(void* memory) noexcept { give(memory); }
void operator delete[](void* memory) noexcept { give(memory); }
void operator delete(void* memory, std::size_t) noexcept { give(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { give(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { give(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { give(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { give(memory); }

// The program's own definitions come before those of the C library, also for the C++ runtime's calls.
extern "C" {

void* mmap(void* address, std::size_t bytes, int protection, int flags, int fd, off_t offset) noexcept {
  static auto* const real = next_definition<void*(void*, std::size_t, int, int, int, off_t)>("mmap");
  if (fd >= 0 && fails()) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  void* mapping = real(address, bytes, protection, flags, fd, offset);
  if (fd >= 0 && mapping != MAP_FAILED) ++blocks;
  return mapping;
}

int munmap(void* address, std::size_t bytes) noexcept {
  static auto* const real = next_definition<int(void*, std::size_t)>("munmap");
  --blocks;
  return real(address, bytes);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) noexcept {
  static auto* const real = next_definition<int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>("pthread_create");
  if (fails()) return EAGAIN;
  const int result = real(thread, attributes, body, argument);
  if (result == 0) ++blocks;
  return result;
}

int pthread_join(pthread_t thread, void** value) {
  static auto* const real = next_definition<int(pthread_t, void**)>("pthread_join");
  const int result = real(thread, value);
  if (result == 0) --blocks;
  return result;
}

}  // extern "C"
