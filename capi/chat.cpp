#include <mla/chat.hpp>

#include "guard.hpp"
#include "handles.hpp"

using namespace mla::capi;

namespace {

std::vector<mla::ChatMessage> translate(const mla_chat_message* messages, std::size_t n_messages) {
  std::vector<mla::ChatMessage> translated;
  for (const mla_chat_message& message : array(messages, n_messages, "messages"))
    translated.push_back({&not_null(message.role, "the role of a message"),
                          &not_null(message.content, "the content of a message")});
  return translated;
}

mla::ChatRenderOptions translate(const mla_chat_options* given) {
  const mla_chat_options read = read_struct(given, "mla_chat_options");
  return {.add_generation_prompt = read.no_generation_prompt == 0,
          .bos_token = optional_text(read.bos_token),
          .eos_token = optional_text(read.eos_token),
          .extra_json = optional_text(read.extra_json)};
}

mla::ChatRenderOptions translate(const mla_chat_options* given, const mla::Tokenizer& tokenizer) {
  const mla_chat_options read = read_struct(given, "mla_chat_options");
  mla::ChatRenderOptions options = translate(given);
  if (read.bos_token == nullptr && tokenizer.bos() >= 0) options.bos_token = tokenizer.piece(tokenizer.bos());
  if (read.eos_token == nullptr && tokenizer.eos() >= 0) options.eos_token = tokenizer.piece(tokenizer.eos());
  return options;
}

const mla::ChatTemplate& checked(const mla_chat_template* chat_template) {
  return not_null(chat_template, "chat_template").chat_template;
}

template <typename Render>
mla_status render(const char* function, char** out, std::size_t* n_bytes, Render&& rendered) {
  return guarded(function, [&] {
    clear_out(out);
    if (n_bytes != nullptr) *n_bytes = 0;
    const std::string text = rendered();
    *out = new_text(text);
    if (n_bytes != nullptr) *n_bytes = text.size();
  });
}

template <typename Render>
mla_status encode(const char* function, mla_token** out, std::size_t* n_out, const mla_tokenizer* tokenizer,
                  const mla_chat_options* options, Render&& segments) {
  return guarded(function, [&] {
    clear_out(out), clear_out(n_out);
    const mla::Tokenizer& used = not_null(tokenizer, "tokenizer").tokenizer;
    const auto tokens = mla::encode_chat(used, segments(translate(options, used)));
    *out = new_tokens(tokens);
    *n_out = tokens.size();
  });
}

}  // namespace

mla_status mla_chat_template_new(mla_chat_template** out, const char* jinja_source) {
  return guarded(__func__, [&] {
    clear_out(out);
    *out = new mla_chat_template{mla::ChatTemplate(&not_null(jinja_source, "jinja_source"))};
  });
}

void mla_chat_template_free(mla_chat_template* chat_template) { delete chat_template; }

mla_status mla_chat_render(char** out, size_t* n_bytes, const mla_chat_template* chat_template,
                           const mla_chat_message* messages, size_t n_messages, const mla_chat_options* options) {
  return render(__func__, out, n_bytes, [&] {
    return checked(chat_template).render(translate(messages, n_messages), translate(options));
  });
}

mla_status mla_chat_render_json(char** out, size_t* n_bytes, const mla_chat_template* chat_template, const char* messages_json,
                                const mla_chat_options* options) {
  return render(__func__, out, n_bytes, [&] {
    return checked(chat_template).render_json(&not_null(messages_json, "messages_json"), translate(options));
  });
}

mla_status mla_chat_encode(mla_token** out, size_t* n_out, const mla_chat_template* chat_template,
                           const mla_tokenizer* tokenizer, const mla_chat_message* messages, size_t n_messages, const mla_chat_options* options) {
  return encode(__func__, out, n_out, tokenizer, options, [&](const mla::ChatRenderOptions& translated) {
    return checked(chat_template).render_segments(translate(messages, n_messages), translated);
  });
}

mla_status mla_chat_encode_json(mla_token** out, size_t* n_out, const mla_chat_template* chat_template,
                                const mla_tokenizer* tokenizer, const char* messages_json, const mla_chat_options* options) {
  return encode(__func__, out, n_out, tokenizer, options, [&](const mla::ChatRenderOptions& translated) {
    return checked(chat_template).render_segments_json(&not_null(messages_json, "messages_json"), translated);
  });
}
