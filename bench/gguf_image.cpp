#include "gguf_image.hpp"

#include <sys/mman.h>

#include <cstring>
#include <new>

namespace bench {
namespace {

constexpr std::size_t alignment = 32;
constexpr std::uint32_t type_uint32 = 4, type_float32 = 6, type_bool = 7, type_string = 8;

constexpr std::size_t aligned(std::size_t n) noexcept { return (n + alignment - 1) / alignment * alignment; }

template <typename T>
void put(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_text(std::string& out, std::string_view text) {
  put(out, std::uint64_t{text.size()});
  out += text;
}

template <typename T>
void put_key(std::string& out, std::string_view key, std::uint32_t type, const T& value) {
  put_text(out, key);
  put(out, type);
  put(out, value);
}

}  // namespace

void GgufImage::add(std::string_view key, std::uint32_t value) { put_key(keys_, key, type_uint32, value), ++n_keys_; }
void GgufImage::add(std::string_view key, float value) { put_key(keys_, key, type_float32, value), ++n_keys_; }
void GgufImage::add(std::string_view key, bool value) { put_key(keys_, key, type_bool, static_cast<std::uint8_t>(value)), ++n_keys_; }
void GgufImage::add(std::string_view key, std::string_view value) {
  put_text(keys_, key);
  put(keys_, type_string);
  put_text(keys_, value);
  ++n_keys_;
}

void GgufImage::add_tensor(std::string_view name, std::span<const std::int64_t> shape, std::uint32_t type, std::size_t bytes) {
  put_text(tensors_, name);
  put(tensors_, static_cast<std::uint32_t>(shape.size()));
  for (const std::int64_t size : shape) put(tensors_, static_cast<std::uint64_t>(size));
  put(tensors_, type);
  put(tensors_, std::uint64_t{data_bytes_});
  places_.push_back({data_bytes_, bytes});
  data_bytes_ += aligned(bytes);
}

void GgufImage::allocate(bool huge_pages) {
  std::string header = "GGUF";
  put(header, std::uint32_t{3});
  put(header, std::uint64_t{places_.size()});
  put(header, n_keys_);
  header += keys_ + tensors_;
  data_begin_ = aligned(header.size());
  size_ = data_begin_ + data_bytes_;
  void* const memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  (void)::madvise(memory, size_, huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  // Asked for as a whole, pages come in less than half the time that touching them one by one takes.
  (void)::madvise(memory, size_, MADV_POPULATE_WRITE);
  memory_.reset(static_cast<std::byte*>(memory), [size = size_](std::byte* bytes) { ::munmap(bytes, size); });
  std::memcpy(memory, header.data(), header.size());
}

std::span<std::byte> GgufImage::tensor(std::size_t i) const noexcept {
  return {memory_.get() + data_begin_ + places_[i].offset, places_[i].bytes};
}

}  // namespace bench
