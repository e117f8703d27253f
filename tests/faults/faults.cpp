#include "faults.hpp"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

using faults::Kind;

std::atomic<long> limit{0}, count{0}, blocks{0};
std::array<std::atomic<long>, 3> faults_of_kind{};

// Code of the OpenMP runtime, which ends the program when it gets no memory: some bytes for each thread that calls oneDNN.
// A program built by clang has two of them.
struct Code {
  std::uintptr_t begin = 0, end = 0;
};
std::array<Code, 2> omp{};
std::size_t n_omp = 0;

int find_omp(dl_phdr_info* library, std::size_t, void*) {
  if (std::strstr(library->dlpi_name, "libgomp") == nullptr && std::strstr(library->dlpi_name, "libomp") == nullptr) return 0;
  for (int i = 0; i < library->dlpi_phnum; ++i) {
    const auto& part = library->dlpi_phdr[i];
    if (part.p_type == PT_LOAD && (part.p_flags & PF_X) != 0 && n_omp < omp.size())
      omp[n_omp++] = {library->dlpi_addr + part.p_vaddr, library->dlpi_addr + part.p_vaddr + part.p_memsz};
  }
  return 0;
}

bool fails(Kind kind) {
  if (limit.load() == 0 || count.fetch_add(1) + 1 != limit.load()) return false;
  ++faults_of_kind[static_cast<std::size_t>(kind)];
  return true;
}

bool memory_fails(const void* caller) {
  const auto at = reinterpret_cast<std::uintptr_t>(caller);
  if (std::any_of(omp.begin(), omp.end(), [at](const Code& code) { return at >= code.begin && at < code.end; })) return false;
  if (!fails(Kind::memory)) return false;
  errno = ENOMEM;
  return true;
}

void* held_block(void* memory) {
  if (memory != nullptr) ++blocks;
  return memory;
}

template <typename Function>
Function* next_definition(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

namespace faults {

void arm(long n) {
  if (n_omp == 0) dl_iterate_phdr(find_omp, nullptr);
  count = 0, limit = n;
}
long requests() { return count; }
void disarm() { limit = 0; }
long held() { return blocks; }
long happened(Kind kind) { return faults_of_kind[static_cast<std::size_t>(kind)]; }

}  // namespace faults

// Definitions that the program exports come before those of the C library, in other libraries' calls too.
#pragma GCC visibility push(default)
extern "C" {

void* __libc_malloc(std::size_t) noexcept;
void* __libc_calloc(std::size_t, std::size_t) noexcept;
void* __libc_realloc(void*, std::size_t) noexcept;
void* __libc_memalign(std::size_t, std::size_t) noexcept;
void __libc_free(void*) noexcept;

#define CALLER __builtin_return_address(0)

void* malloc(std::size_t bytes) noexcept { return memory_fails(CALLER) ? nullptr : held_block(__libc_malloc(bytes)); }
void* calloc(std::size_t n, std::size_t bytes) noexcept { return memory_fails(CALLER) ? nullptr : held_block(__libc_calloc(n, bytes)); }
void* memalign(std::size_t alignment, std::size_t bytes) noexcept {
  return memory_fails(CALLER) ? nullptr : held_block(__libc_memalign(alignment, bytes));
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  return memory_fails(CALLER) ? nullptr : held_block(__libc_memalign(alignment, bytes));
}
int posix_memalign(void** out, std::size_t alignment, std::size_t bytes) noexcept {
  void* memory = memory_fails(CALLER) ? nullptr : held_block(__libc_memalign(alignment, bytes));
  if (memory == nullptr) return ENOMEM;
  *out = memory;
  return 0;
}
void* realloc(void* memory, std::size_t bytes) noexcept {
  if (memory_fails(CALLER)) return nullptr;
  void* moved = __libc_realloc(memory, bytes);
  blocks += (moved != nullptr) - (memory != nullptr && (moved != nullptr || bytes == 0));
  return moved;
}
void free(void* memory) noexcept {
  if (memory != nullptr) --blocks;
  __libc_free(memory);
}

void* mmap(void* address, std::size_t bytes, int protection, int flags, int fd, off_t offset) noexcept {
  static auto* const real = next_definition<void*(void*, std::size_t, int, int, int, off_t)>("mmap");
  if (fails(Kind::mapping)) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  void* mapping = real(address, bytes, protection, flags, fd, offset);
  if (mapping != MAP_FAILED) ++blocks;
  return mapping;
}

int munmap(void* address, std::size_t bytes) noexcept {
  static auto* const real = next_definition<int(void*, std::size_t)>("munmap");
  --blocks;
  return real(address, bytes);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) noexcept {
  static auto* const real = next_definition<int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>("pthread_create");
  if (fails(Kind::thread)) return EAGAIN;
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
#pragma GCC visibility pop
