// From a rendered conversation to token ids, so that no message can smuggle in a control token.
#pragma once
#include <span>
#include <vector>

#include <mla/chat_template.hpp>
#include <mla/tokenizer.hpp>

namespace mla {

/// Token ids of ChatTemplate::render_segments(): control tokens are recognised in trusted pieces only, whole within one
/// piece. The text between two of them is encoded as one, across the pieces, because that is how models were trained
/// ("User: " and a message share a token at their seam). Adds no bos or eos to what the template wrote.
std::vector<Token> encode_chat(const Tokenizer& tokenizer, std::span<const ChatSegment> segments);

}  // namespace mla
