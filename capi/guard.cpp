#include "guard.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

#include <mla/error.hpp>

namespace mla::capi {
namespace {

// Fixed, so that keeping a message can't fail and costs no thread a destructor.
constexpr std::size_t message_bytes = 2048;
thread_local char last_error[message_bytes] = "";

std::size_t append(std::size_t at, std::string_view text) noexcept {
  const std::size_t n = std::min(text.size(), message_bytes - 1 - at);
  std::memcpy(last_error + at, text.data(), n);
  return at + n;
}

}  // namespace

mla_status set_error(mla_status status, const char* function, std::string_view message) noexcept {
  std::size_t end = 0;
  if (function != nullptr) end = append(append(end, function), "(): ");
  end = append(end, message);
  last_error[end] = '\0';
  std::replace(last_error, last_error + end, '\0', ' ');
  return status;
}

mla_status translate_exception(const char* function) noexcept {
  try {
    throw;
  } catch (const Misuse& misuse) {
    return set_error(MLA_INVALID_ARGUMENT, function, misuse.what);
  } catch (const Error& error) {
    return set_error(static_cast<mla_status>(error.status()), nullptr, error.what());
  } catch (const std::bad_alloc&) {
    return set_error(MLA_OUT_OF_MEMORY, function, "out of memory");
  } catch (const std::exception& error) {
    return set_error(MLA_INTERNAL, function, error.what());
  } catch (...) {
    return set_error(MLA_INTERNAL, function, "an exception of unknown type, perhaps from a callback");
  }
}

std::size_t checked_struct_size(const void* given, std::size_t known, const char* name) {
  std::size_t size;
  std::memcpy(&size, given, sizeof size);
  // Every version of a struct is a multiple of its alignment, so no field can be cut in two.
  if (size < sizeof size || size % alignof(void*) != 0 || size > 65536)
    throw Misuse{std::string(name) + ": struct_size is " + std::to_string(size) +
                 "; initialise the struct with its MLA_*_INIT macro"};
  const auto* bytes = static_cast<const unsigned char*>(given);
  if (size > known && std::any_of(bytes + known, bytes + size, [](unsigned char byte) { return byte != 0; }))
    throw Error(Status::unsupported, std::string(name) + " sets an option that libmla " + mla_version() +
                                         " does not know: leave it zero, or use the library that the header came with");
  return std::min(size, known);
}

void* new_memory(std::size_t bytes) {
  void* memory = std::malloc(std::max<std::size_t>(1, bytes));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

mla_token* new_tokens(const std::vector<mla_token>& tokens) {
  auto* memory = static_cast<mla_token*>(new_memory(tokens.size() * sizeof(mla_token)));
  std::copy(tokens.begin(), tokens.end(), memory);
  return memory;
}

char* new_text(std::string_view text) {
  auto* memory = static_cast<char*>(new_memory(text.size() + 1));
  *std::copy(text.begin(), text.end(), memory) = '\0';
  return memory;
}

}  // namespace mla::capi

const char* mla_last_error(void) { return mla::capi::last_error; }
