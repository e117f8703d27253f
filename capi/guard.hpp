// What every function of the C API goes through: no exception leaves, wrong arguments become messages, and options structs
// of older and newer headers are read.
#pragma once
#include <atomic>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <mla/mla.h>

namespace mla::capi {

/// A call that broke the rules of mla.h; the guard puts the function's name before the text.
struct Misuse {
  std::string what;
};

/// Keeps the message for mla_last_error() and returns the status; allocates nothing.
mla_status set_error(mla_status status, const char* function, std::string_view message) noexcept;
/// Translates the exception in flight.
mla_status translate_exception(const char* function) noexcept;

/// Runs the body of a C function. Called as guarded(__func__, [&] { … }).
template <typename Body>
mla_status guarded(const char* function, Body&& body) noexcept {
  try {
    body();
    return MLA_OK;
  } catch (...) {
    return translate_exception(function);
  }
}

/// The same for a function that returns a property: `otherwise` if the body throws.
template <typename T, typename Body>
T property(const char* function, T otherwise, Body&& body) noexcept {
  try {
    return static_cast<T>(body());
  } catch (...) {
    translate_exception(function);
    return otherwise;
  }
}

template <typename T>
T& not_null(T* pointer, const char* name) {
  if (pointer == nullptr) throw Misuse{std::string(name) + " is NULL"};
  return *pointer;
}

/// Out-parameters first: checked and cleared before anything else can fail.
template <typename T>
void clear_out(T* out) {
  not_null(out, "the out-parameter") = T{};
}

/// An array argument; NULL is fine only if it is empty.
template <typename T>
std::span<const T> array(const T* data, std::size_t n, const char* name) {
  if (n > 0) not_null(data, name);
  if (n > std::numeric_limits<std::size_t>::max() / 2 / sizeof(T)) throw Misuse{std::string(name) + ": the count is too large"};
  return {data, n};
}

inline std::string_view text(const char* data, std::size_t n_bytes, const char* name) {
  if (n_bytes == MLA_NUL_TERMINATED) return &not_null(data, name);
  const std::span<const char> bytes = array(data, n_bytes, name);
  return {bytes.data(), bytes.size()};
}

inline std::string optional_text(const char* data) { return data == nullptr ? std::string() : std::string(data); }

/// Refuses a struct_size that is no size, and one with bytes set beyond what this library knows. Returns the bytes to copy.
std::size_t checked_struct_size(const void* given, std::size_t known, const char* name);

/// A copy of a caller's struct with zeros where it is shorter than ours; all zeros for NULL.
template <typename T>
T read_struct(const T* given, const char* name) {
  static_assert(std::is_trivially_copyable_v<T>);
  T known{};
  if (given != nullptr) std::memcpy(static_cast<void*>(&known), given, checked_struct_size(given, sizeof(T), name));
  known.struct_size = sizeof(T);
  return known;
}

/// Fills a caller's struct up to the size that it states.
template <typename T>
void write_struct(T* given, T value, const char* name) {
  const std::size_t size = not_null(given, name).struct_size;
  if (size < sizeof(std::size_t)) checked_struct_size(given, sizeof(T), name);
  value.struct_size = size;
  std::memcpy(static_cast<void*>(given), &value, size < sizeof(T) ? size : sizeof(T));
}

/// The number in an enum field, which a caller may have set to anything; throws unless it is one of 0 … last.
template <typename E>
int enum_value(const E& field, int last, const char* name) {
  static_assert(sizeof(E) == sizeof(int));
  int value;
  std::memcpy(&value, &field, sizeof value);  // loading it as E would be undefined for a number that E lacks
  if (value < 0 || value > last)
    throw Misuse{std::string(name) + " is " + std::to_string(value) + ": use 0 to " + std::to_string(last)};
  return value;
}

/// The turn of one call with an object that belongs to one thread at a time.
class Turn {
 public:
  /// Throws Misuse if another call has it.
  Turn(std::atomic<bool>& busy, const char* name) : busy_(busy) {
    if (busy_.exchange(true, std::memory_order_acquire)) refuse(name);
  }
  ~Turn() { busy_.store(false, std::memory_order_release); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  /// For calls that only look.
  static void check(const std::atomic<bool>& busy, const char* name) {
    if (busy.load(std::memory_order_acquire)) refuse(name);
  }

 private:
  [[noreturn]] static void refuse(const char* name) {
    throw Misuse{std::string(name) + " is in use by another call: one thread at a time, and no callback of its own"};
  }
  std::atomic<bool>& busy_;
};

/// Deletes what no call is at work on; otherwise leaves it, with a message.
template <typename T>
void free_unless_busy(const char* function, T* object, const char* name) noexcept {
  if (object == nullptr) return;
  (void)guarded(function, [&] { Turn::check(object->busy, name); delete object; });
}

/// Memory for the caller, to be freed with mla_free().
void* new_memory(std::size_t bytes);
mla_token* new_tokens(const std::vector<mla_token>& tokens);
char* new_text(std::string_view text);

}  // namespace mla::capi
