// A GGUF file in memory: its tables, then what a loader makes of its metadata.
#include "format/gguf.hpp"

#include <cstring>
#include <memory>
#include <new>

#include "fuzz.hpp"
#include "model/config.hpp"
#include "model/vocabulary.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mla;
  struct Delete {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{32}); }
  };
  const std::unique_ptr<std::byte, Delete> memory(static_cast<std::byte*>(::operator new[](size, std::align_val_t{32})));
  std::byte* const bytes = memory.get();  // at an address as the reader wants it; the sanitizer knows where it ends
  if (size > 0) std::memcpy(bytes, data, size);
  for (const bool allow_unknown_types : {false, true})
    fuzz::accept_errors([&] {
      const auto file = format::GgufFile::borrow({bytes, size}, {.allow_unknown_types = allow_unknown_types});
      for (const format::TensorInfo& tensor : file.tensors())
        if (tensor.data != nullptr) fuzz::look_at({tensor.data, static_cast<std::size_t>(tensor.bytes)});
      fuzz::accept_errors([&] { (void)model::read_config(file, {}, nullptr); });
      fuzz::accept_errors([&] { (void)Tokenizer(model::read_vocabulary(file, 260)); });
    });
  return 0;
}
