#include "text/jinja/json_input.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

#include "platform/fail.hpp"

namespace mla::text::jinja {
namespace {

/// Builds values from nlohmann's parser events, which come without recursion.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(const char* what) : what_(what) {}
  Value take() { return std::move(result_); }

  bool null() override { return add(Value(Value::Data(None{}), false)); }
  bool boolean(bool value) override { return add(Value::boolean(value, false)); }
  bool number_integer(number_integer_t value) override { return add(Value::integer(value, false)); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<number_unsigned_t>(INT64_MAX)) fail(Status::unsupported, "{}: the number {} has more than 64 bits", what_, value);
    return add(Value::integer(static_cast<std::int64_t>(value), false));
  }
  bool number_float(number_float_t value, const string_t& text) override {
    if (text.find_first_of(".eE") == string_t::npos) fail(Status::unsupported, "{}: the number {} has more than 64 bits", what_, text);
    return add(Value::real(value, false));
  }
  bool string(string_t& value) override { return add(Value::string(value, false)); }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return open(true); }
  bool start_array(std::size_t) override { return open(false); }
  bool key(string_t& key) override {
    open_.back().key = Value::string(key, false);
    return true;
  }
  bool end_object() override {
    Dict dict = std::move(open_.back().dict);
    open_.pop_back();
    return add(Value::dict(std::move(dict), false));
  }
  bool end_array() override {
    std::vector<Value> items = std::move(open_.back().items);
    open_.pop_back();
    return add(Value::list(std::move(items), List::Type::list, false));
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    const std::string_view message = error.what();
    fail(Status::invalid_argument, "{} is no JSON at byte {}: {}", what_, position, message.substr(message.find(']') + 2));
  }

 private:
  struct Open {
    bool is_object;
    Value key;
    Dict dict;
    std::vector<Value> items;
  };

  bool open(bool is_object) {
    if (open_.size() >= max_value_depth - 1) fail(Status::unsupported, "{} nests deeper than {}", what_, max_value_depth - 1);
    open_.push_back({is_object, {}, {}, {}});
    return true;
  }

  bool add(Value value) {
    if (open_.empty()) result_ = std::move(value);
    else if (open_.back().is_object) open_.back().dict.set(open_.back().key, std::move(value));
    else open_.back().items.push_back(std::move(value));
    return true;
  }

  const char* what_;
  Value result_;
  std::vector<Open> open_;
};

}  // namespace

Value parse_json(std::string_view text, const char* what) {
  Builder builder(what);
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

}  // namespace mla::text::jinja
