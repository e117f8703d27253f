// A safetensors file, or, where the input begins with a brace, an index beside a file that is sound.
#include "format/safetensors.hpp"
#include "fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  const std::string index = "model.safetensors.index.json";
  std::filesystem::remove(folder / index);
  if (size > 0 && data[0] == '{') {
    const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
    folder.write("model.safetensors", std::string{static_cast<char>(header.size()), 0, 0, 0, 0, 0, 0, 0} + header + "abcd");
    folder.write(index, fuzz::text(data, size));
  } else {
    folder.write("model.safetensors", fuzz::text(data, size));
  }
  return fuzz::accept_errors([] {
    const auto files = mla::format::SafetensorsFolder::open(folder.path());
    for (const auto& [name, tensor] : files.tensors()) fuzz::look_at({tensor.data, static_cast<std::size_t>(tensor.bytes)});
  });
}
