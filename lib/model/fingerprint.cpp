#include "model/fingerprint.hpp"

#include <algorithm>

#include "platform/checksum.hpp"

namespace mla::model {
namespace {

class Hash {
 public:
  template <typename T>
    requires std::is_arithmetic_v<T>
  void add(T value) {
    sum_.update(&value, sizeof value);
  }
  void add(const std::string& text) {
    add(text.size());
    sum_.update(text.data(), text.size());
  }
  template <typename T>
  void add(const std::vector<T>& array) {
    add(array.size());
    for (const auto& value : array) add(static_cast<const T&>(value));
  }
  template <typename... T>
  void add(const std::variant<T...>& value) {
    add(value.index());
    std::visit([this](const auto& held) { add(held); }, value);
  }
  void add_bytes(const std::byte* data, std::size_t n) { sum_.update(data, n); }
  std::uint64_t value() const noexcept { return std::max<std::uint64_t>(1, sum_.value()); }

 private:
  platform::Checksum sum_;
};

}  // namespace

std::uint64_t fingerprint(const format::GgufFile& file, const std::map<std::string, std::string>& overrides) {
  Hash hash;
  for (const auto& [key, value] : file.metadata()) {
    hash.add(key);
    hash.add(value.type);
    hash.add(value.element_type);
    hash.add(value.value);
  }
  for (const auto& [key, value] : overrides) {
    hash.add(key);
    hash.add(value);
  }
  for (const format::TensorInfo& tensor : file.tensors()) {
    hash.add(tensor.name);
    hash.add(tensor.shape);
    hash.add(tensor.type);
    const std::uint64_t held = tensor.bytes_at_data(), n = std::min<std::uint64_t>(64, held), middle = (held - n) / 2;
    if (tensor.data != nullptr) hash.add_bytes(tensor.data + middle, static_cast<std::size_t>(n));
  }
  return hash.value();
}

}  // namespace mla::model
