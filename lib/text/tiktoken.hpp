// tiktoken.model: a byte-level BPE vocabulary as ranked tokens, without merge rules.
#pragma once
#include <mla/tokenizer.hpp>
#include <string>
#include <string_view>

namespace mla::text {

/// Tokens in GPT-2's byte alphabet, and the merge rules that their ranks stand for: of each token the two that make it, if the better
/// ranked ones lead there. Ids are the ranks. Throws Error(bad_file) that names `file` and the line.
TokenizerData read_tiktoken(std::string_view ranks, const std::string& file);

}  // namespace mla::text
