// The tokenizer's golden files (tests/golden/tokenizer/README.md).
#pragma once
#include <cstdint>
#include <mla/tokenizer.hpp>
#include <string>
#include <vector>

namespace mla::test {

std::string golden_path(const std::string& name);
std::string golden_file(const std::string& name);  ///< its contents
std::vector<std::string> golden_strings();
std::vector<std::uint32_t> golden_hashes(const std::string& name);
/// DeepSeek-V3's vocabulary from its compact form.
TokenizerData deepseek_v3_data();
std::uint32_t hash_of(const std::vector<Token>& tokens);

}  // namespace mla::test
