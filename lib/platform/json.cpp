#include "platform/json.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "platform/fail.hpp"
#include "platform/file.hpp"

namespace mla::platform {
namespace {

using nlohmann::json;

constexpr std::size_t deepest = 64;  // the parser itself has no limit, and what it built is destroyed recursively

// Puts every value in its place below the root at once, so that the root's owner has all of them if memory runs out.
class Builder final : public nlohmann::json_sax<json> {
 public:
  Builder(json& root, const std::string& path, std::size_t size) : root_(root), path_(path), size_(size) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // JSON text has none

  bool start_object(std::size_t) override { return open(json::value_t::object); }
  bool start_array(std::size_t) override { return open(json::value_t::array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& key) override {
    const auto [member, is_new] = open_.back()->get_ref<json::object_t&>().emplace(std::move(key), nullptr);
    if (!is_new) fail(Status::bad_file, "{}: JSON key \"{}\" twice in one object", path_, member->first);
    member_ = &member->second;
    return true;
  }
  bool parse_error(std::size_t byte, const std::string&, const nlohmann::detail::exception&) override {
    fail(Status::bad_file, "{}: not JSON, or cut off, at byte {} of {}", path_, std::min(byte, size_), size_);
  }

 private:
  json& place() {
    if (open_.empty()) return root_;
    return open_.back()->is_object() ? *member_ : open_.back()->get_ref<json::array_t&>().emplace_back(nullptr);
  }
  bool add(json value) {
    place() = std::move(value);
    return true;
  }
  bool open(json::value_t type) {
    if (open_.size() == deepest) fail(Status::bad_file, "{}: JSON nested deeper than {} levels", path_, deepest);
    json& value = place();
    value = type;
    open_.push_back(&value);  // stays where it is: nothing is added beside it before it is closed
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  json& root_;
  const std::string& path_;
  std::size_t size_;
  std::vector<json*> open_;
  json* member_ = nullptr;
};

// Leaves no array or object with children, for which nlohmann's destructor would take memory.
void empty(json& value) noexcept {
  if (!value.is_structured()) return;
  for (json& child : value) empty(child);
  value.clear();
}

}  // namespace

JsonDocument::~JsonDocument() { empty(root_); }

JsonDocument parse_json(std::string_view text, const std::string& path) {
  JsonDocument document;
  Builder builder(document.root_, path, text.size());
  json::sax_parse(text, &builder);
  return document;
}

JsonDocument read_json_file(const std::string& path) {
  return parse_json(platform::read_text_file(path, std::uint64_t{256} << 20), path);
}

}  // namespace mla::platform
