#include "model/metadata.hpp"

#include <charconv>

#include "platform/fail.hpp"

namespace mla::model {
namespace {

template <typename T>
T parse_override(const std::string& key, const std::string& text, const char* kind) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    fail(Status::invalid_argument, "override {}={}: not {}", key, text, kind);
  return value;
}

}  // namespace

Metadata::Metadata(const format::GgufFile& file, std::string architecture, const std::map<std::string, std::string>& overrides)
    : file_(file), prefix_(std::move(architecture) + "."), overrides_(overrides) {}

const std::string* Metadata::override_of(const std::string& key) {
  asked_.insert(key);
  const auto found = overrides_.find(full(key));
  return found == overrides_.end() ? nullptr : &found->second;
}

std::optional<std::int64_t> Metadata::integer(const std::string& key) {
  if (const std::string* text = override_of(key)) return parse_override<std::int64_t>(full(key), *text, "a whole number");
  const auto value = file_.get_uint(full(key));
  if (!value) return std::nullopt;
  if (*value > (std::uint64_t{1} << 62)) refuse(key, fmt::format("{} is absurd", *value));
  return static_cast<std::int64_t>(*value);
}

std::optional<double> Metadata::number(const std::string& key) {
  if (const std::string* text = override_of(key)) return parse_override<double>(full(key), *text, "a number");
  return file_.get_float(full(key));
}

std::optional<bool> Metadata::boolean(const std::string& key) {
  if (const std::string* text = override_of(key)) {
    if (*text != "true" && *text != "false") fail(Status::invalid_argument, "override {}={}: neither true nor false", full(key), *text);
    return *text == "true";
  }
  return file_.get_bool(full(key));
}

std::optional<std::string> Metadata::text(const std::string& key) {
  if (const std::string* text = override_of(key)) return *text;
  const auto value = file_.get_string(full(key));
  return value ? std::optional<std::string>(*value) : std::nullopt;
}

int Metadata::size(const std::string& key, std::optional<int> fallback, int least) {
  const auto value = integer(key);
  if (!value && fallback) return *fallback;
  if (!value) refuse(key, "it is missing");
  if (*value < least || *value > (1 << 24)) refuse(key, fmt::format("{} is out of range ({} to {})", *value, least, 1 << 24));
  return static_cast<int>(*value);
}

void Metadata::refuse(const std::string& key, const std::string& why) const {
  fail(Status::bad_file, "{}: metadata key {}: {}", file_.path(), full(key), why);
}

void Metadata::not_implemented(const std::string& key, const std::string& why) const {
  fail(Status::unsupported, "{}: metadata key {}: {}", file_.path(), full(key), why);
}

void Metadata::refuse_unread() const {
  for (const auto& [name, value] : file_.metadata())
    if (name.starts_with(prefix_) && !asked_.contains(name.substr(prefix_.size())))
      fail(Status::unsupported, "{}: metadata key {} is not implemented and may change the model's results", file_.path(), name);
  for (const auto& [name, value] : overrides_)
    if (!name.starts_with(prefix_) || !asked_.contains(name.substr(prefix_.size())))
      fail(Status::invalid_argument, "override {}: the loader reads no such key", name);
}

}  // namespace mla::model
