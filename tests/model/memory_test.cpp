// Model::load_memory(): the same model as from the file, and the same refusals.
#include <cstdlib>
#include <cstring>
#include <memory>

#include "refusal.hpp"
#include "run_tiny.hpp"

using namespace mla;

namespace {

// Bytes at an address that is a multiple of 4096, plus `shift`.
class Image {
 public:
  explicit Image(const std::string& bytes, std::size_t shift = 0) : shift_(shift), size_(bytes.size()) {
    memory_.reset(static_cast<std::byte*>(std::aligned_alloc(4096, (bytes.size() + shift + 4096) / 4096 * 4096)),
                  [](std::byte* p) { std::free(p); });
    std::memcpy(memory_.get() + shift, bytes.data(), bytes.size());
  }
  std::span<const std::byte> bytes() const { return {memory_.get() + shift_, size_}; }
  std::shared_ptr<const void> owner() const { return memory_; }

 private:
  std::size_t shift_, size_;
  std::shared_ptr<std::byte> memory_;
};

std::string tiny_bytes(const ScratchFolder& folder, bool split = false) {
  const TinyModel model = original_layout({});
  if (split) return read_bytes(model.write_split(folder / "part", 2).front());
  model.write(folder / "tiny.gguf");
  return read_bytes(folder / "tiny.gguf");
}

}  // namespace

TEST_CASE("a model in memory gives the logits of its file, and keeps the owner as long as it needs") {
  const ScratchFolder folder;
  auto image = std::make_unique<Image>(tiny_bytes(folder));
  const auto from_file = Model::load(folder / "tiny.gguf");
  std::weak_ptr<const void> owner = image->owner();
  auto model = Model::load_memory(image->bytes(), image->owner());
  image.reset();
  CHECK_FALSE(owner.expired());
  CHECK(model->info().weight_bytes == from_file->info().weight_bytes);
  for (const AttentionMode mode : all_modes) CHECK(logits_of(model, mode).values == logits_of(from_file, mode).values);
  model.reset();
  CHECK(owner.expired());
}

TEST_CASE("a model in memory of the host's own, without an owner") {
  const ScratchFolder folder;
  const Image image(tiny_bytes(folder));
  const auto model = Model::load_memory(image.bytes());
  CHECK(image.owner().use_count() == 2);  // the image's and this one
  CHECK(logits_of(model, AttentionMode::automatic).values == logits_of(Model::load(folder / "tiny.gguf"), AttentionMode::automatic).values);
}

TEST_CASE("memory that holds no whole model is refused like a file") {
  const ScratchFolder folder;
  const std::string whole = tiny_bytes(folder);
  check_refused([] { Model::load_memory({}); }, Status::bad_file, {"the model in memory", "cut short"});
  for (std::size_t n = 1; n < whole.size(); n += 1 + n / 8) {
    INFO(n << " bytes of " << whole.size());
    const Image cut(whole.substr(0, n));  // a copy of its own, so that a sanitizer sees what lies behind the end
    check_refused([&] { Model::load_memory(cut.bytes()); }, Status::bad_file, {"the model in memory"});
  }
  const Image text(std::string(1000, 'x')), odd(whole, 8), part(tiny_bytes(folder, true));
  check_refused([&] { Model::load_memory(text.bytes()); }, Status::bad_file, {"not a GGUF file"});
  check_refused([&] { Model::load_memory(odd.bytes()); }, Status::invalid_argument, {"the model in memory", "multiple of 32"});
  check_refused([&] { Model::load_memory(part.bytes()); }, Status::unsupported, {"one of 2 parts"});
}
