// GPT-2's byte alphabet: how byte-level BPE vocabularies write bytes as printable characters.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace mla::text {

/// The bytes that `text` stands for; nothing if it has a character outside the alphabet (or is not UTF-8).
std::optional<std::string> bytes_of_alphabet(std::string_view text);

/// The other way round.
std::string alphabet_of_bytes(std::string_view bytes);

}  // namespace mla::text
