// Runtime: what functions, filters and tests may ask of the interpreter, and the bounds it keeps.
#pragma once
#include <string>
#include <vector>

#include "text/jinja/value.hpp"

namespace mla::text::jinja {

class Runtime {
 public:
  virtual ~Runtime() = default;

  /// Counts work against the bound on steps. Throws Error(unsupported) when a template has had its share.
  void charge(std::size_t steps);
  /// The same for memory taken over the whole rendering, whether or not it is still in use.
  void charge_memory(std::size_t bytes);

  virtual Value call(const Value& callee, Arguments& arguments) = 0;
  /// A namespace that lives as long as the rendering.
  virtual Value make_namespace(Dict attributes) = 0;

 protected:
  /// `input_bytes`: of the conversation; longer ones may take more work.
  explicit Runtime(std::size_t input_bytes);

 private:
  std::size_t steps_left_, memory_left_;
};

/// Values that a for statement walks over. An iterator is used up. Throws Error for what can't be walked.
std::vector<Value> iterate(Runtime& runtime, const Value& value);

/// object.name and object[key] by Jinja's rules: methods first for the dot, elements first for the bracket;
/// an undefined value if there is neither.
Value get_attribute(const Value& object, const std::string& name);
Value get_item(const Value& object, const Value& key);
/// The method of a str, dict or list, or an undefined value.
Value get_method(const Value& object, const std::string& name);
Value get_string_method(const Value& object, const std::string& name);

/// Binds call arguments to parameter names as Python does; null for the ones left out.
/// Throws Error that names `function` if there are too many, unknown or missing ones.
std::vector<const Value*> bind(std::string_view function, const Arguments& arguments,
                               std::initializer_list<std::string_view> parameters, std::size_t n_required = 0);

/// The argument as a string, integer …; throws Error that names `function` if it is of another type.
const Value& need_string(std::string_view function, const Value& value);
std::int64_t need_integer(std::string_view function, const Value& value);

}  // namespace mla::text::jinja
