#include <mla/tokenizer.hpp>

#include "guard.hpp"
#include "handles.hpp"

using namespace mla::capi;

namespace {

const mla::Tokenizer& checked(const mla_tokenizer* tokenizer) { return not_null(tokenizer, "tokenizer").tokenizer; }

/// Hands out what a stream has made: borrowed, until its next call.
void hand_out(const char** out, std::size_t* n_bytes, mla_text_stream& stream, std::string text) {
  stream.text = std::move(text);
  *out = stream.text.c_str();
  if (n_bytes != nullptr) *n_bytes = stream.text.size();
}

void clear_text(const char** out, std::size_t* n_bytes) {
  clear_out(out);
  if (n_bytes != nullptr) *n_bytes = 0;
}

}  // namespace

mla_status mla_tokenizer_encode(mla_token** out, size_t* n_out, const mla_tokenizer* tokenizer, const char* text,
                                size_t n_bytes, uint32_t flags) {
  return guarded(__func__, [&] {
    clear_out(out), clear_out(n_out);
    if ((flags & ~uint32_t{MLA_ENCODE_NO_SPECIAL | MLA_ENCODE_PARSE_SPECIAL}) != 0)
      throw Misuse{"flags is " + std::to_string(flags) + ": use MLA_ENCODE_NO_SPECIAL, MLA_ENCODE_PARSE_SPECIAL, both, or 0"};
    const mla::EncodeOptions options = {.add_special = (flags & MLA_ENCODE_NO_SPECIAL) == 0,
                                        .parse_special = (flags & MLA_ENCODE_PARSE_SPECIAL) != 0};
    const auto tokens = checked(tokenizer).encode(mla::capi::text(text, n_bytes, "text"), options);
    *out = new_tokens(tokens);
    *n_out = tokens.size();
  });
}

mla_status mla_tokenizer_decode(char** out, size_t* n_bytes, const mla_tokenizer* tokenizer, const mla_token* tokens,
                                size_t n_tokens, int32_t show_special) {
  return guarded(__func__, [&] {
    clear_out(out);
    if (n_bytes != nullptr) *n_bytes = 0;
    const std::string text = checked(tokenizer).decode(array(tokens, n_tokens, "tokens"), show_special != 0);
    *out = new_text(text);
    if (n_bytes != nullptr) *n_bytes = text.size();
  });
}

mla_status mla_tokenizer_piece(const char** out, size_t* n_bytes, const mla_tokenizer* tokenizer, mla_token token) {
  return guarded(__func__, [&] {
    clear_out(out), clear_out(n_bytes);
    const std::string_view piece = checked(tokenizer).piece(token);
    *out = piece.data();
    *n_bytes = piece.size();
  });
}

mla_status mla_tokenizer_kind(mla_token_kind* out, const mla_tokenizer* tokenizer, mla_token token) {
  return guarded(__func__, [&] {
    not_null(out, "the out-parameter") = MLA_TOKEN_NORMAL;
    *out = static_cast<mla_token_kind>(checked(tokenizer).kind(token));
  });
}

mla_token mla_tokenizer_find(const mla_tokenizer* tokenizer, const char* text, size_t n_bytes) {
  return property<mla_token>(__func__, -1, [&] {
    return checked(tokenizer).find(mla::capi::text(text, n_bytes, "text")).value_or(-1);
  });
}

int32_t mla_tokenizer_size(const mla_tokenizer* tokenizer) {
  return property<int32_t>(__func__, -1, [&] { return checked(tokenizer).size(); });
}

mla_token mla_tokenizer_bos(const mla_tokenizer* tokenizer) {
  return property<mla_token>(__func__, -1, [&] { return checked(tokenizer).bos(); });
}

mla_token mla_tokenizer_eos(const mla_tokenizer* tokenizer) {
  return property<mla_token>(__func__, -1, [&] { return checked(tokenizer).eos(); });
}

mla_token mla_tokenizer_pad(const mla_tokenizer* tokenizer) {
  return property<mla_token>(__func__, -1, [&] { return checked(tokenizer).pad(); });
}

mla_token mla_tokenizer_unknown(const mla_tokenizer* tokenizer) {
  return property<mla_token>(__func__, -1, [&] { return checked(tokenizer).unknown(); });
}

int32_t mla_tokenizer_add_bos(const mla_tokenizer* tokenizer) {
  return property<int32_t>(__func__, -1, [&] { return checked(tokenizer).add_bos(); });
}

int32_t mla_tokenizer_add_eos(const mla_tokenizer* tokenizer) {
  return property<int32_t>(__func__, -1, [&] { return checked(tokenizer).add_eos(); });
}

int32_t mla_tokenizer_is_end_of_generation(const mla_tokenizer* tokenizer, mla_token token) {
  return property<int32_t>(__func__, -1, [&] { return checked(tokenizer).is_end_of_generation(token); });
}

const char* mla_tokenizer_pre(const mla_tokenizer* tokenizer) {
  return property<const char*>(__func__, nullptr, [&] { return checked(tokenizer).pre().c_str(); });
}

mla_status mla_text_stream_new(mla_text_stream** out, const mla_tokenizer* tokenizer, int32_t show_special) {
  return guarded(__func__, [&] {
    clear_out(out);
    *out = new mla_text_stream{mla::TextStream(checked(tokenizer), show_special != 0), {}};
  });
}

void mla_text_stream_free(mla_text_stream* stream) { free_unless_busy(__func__, stream, "the stream"); }

mla_status mla_text_stream_push(const char** out, size_t* n_bytes, mla_text_stream* stream, mla_token token) {
  return guarded(__func__, [&] {
    clear_text(out, n_bytes);
    mla_text_stream& handle = not_null(stream, "stream");
    const Turn turn(handle.busy, "the stream");
    hand_out(out, n_bytes, handle, handle.stream.push(token));
  });
}

mla_status mla_text_stream_finish(const char** out, size_t* n_bytes, mla_text_stream* stream) {
  return guarded(__func__, [&] {
    clear_text(out, n_bytes);
    mla_text_stream& handle = not_null(stream, "stream");
    const Turn turn(handle.busy, "the stream");
    hand_out(out, n_bytes, handle, handle.stream.finish());
  });
}
