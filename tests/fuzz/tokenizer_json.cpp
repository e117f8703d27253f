// tokenizer.json: the reader, and the tokenizer that comes of it, on a text.
#include <mla/tokenizer.hpp>

#include "fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  folder.write("tokenizer.json", fuzz::text(data, size));
  return fuzz::accept_errors([] {
    const mla::Tokenizer tokenizer(mla::read_hf_tokenizer(folder.path()));
    const auto tokens = tokenizer.encode("Ab 12\n\n<｜a｜> 世界\xff", {.parse_special = true});
    (void)tokenizer.decode(tokens, true);
  });
}
