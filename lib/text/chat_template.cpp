#include <mla/chat_template.hpp>

#include "platform/fail.hpp"
#include "text/jinja/interpreter.hpp"
#include "text/jinja/json_input.hpp"
#include "text/jinja/parser.hpp"

namespace mla {

using namespace text::jinja;

namespace {

/// As transformers does: whichever of its names the reasoning came under, templates find it as reasoning_content.
Value with_reasoning_aliases(const Value& message) {
  const Dict& fields = message.as_dict();
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    const Value* reasoning = fields.find(std::string(name));
    if (!reasoning || reasoning->is(Kind::none)) continue;
    Dict renamed;
    renamed.set(Value::string("thinking"), *reasoning);
    for (const auto& [key, value] : fields.items) renamed.set(key, value);
    renamed.set(Value::string("reasoning_content"), *reasoning);
    return Value::dict(std::move(renamed), false);
  }
  return message;
}

Value checked_messages(const Value& messages) {
  if (!messages.is(Kind::list)) fail(Status::invalid_argument, "the messages are a {}, not an array", messages.type_name());
  std::vector<Value> result;
  for (const Value& message : messages.as_list().items) {
    if (!message.is(Kind::dict)) fail(Status::invalid_argument, "a message is a {}, not an object", message.type_name());
    result.push_back(with_reasoning_aliases(message));
  }
  return Value::list(std::move(result), List::Type::list, false);
}

Value plain_messages(std::span<const ChatMessage> messages) {
  std::vector<Value> result;
  for (const ChatMessage& message : messages) {
    Dict fields;
    fields.set(Value::string("role"), Value::string(message.role, false));
    fields.set(Value::string("content"), Value::string(message.content, false));
    result.push_back(Value::dict(std::move(fields), false));
  }
  return Value::list(std::move(result), List::Type::list, false);
}

/// All variables of a template. The ones that transformers always passes are there even if the host gives none.
Dict variables_of(const Value& messages, const ChatRenderOptions& options) {
  Dict variables;
  const auto set = [&variables](const char* name, Value value) { variables.set(Value::string(name), std::move(value)); };
  set("messages", messages);
  set("tools", Value());
  set("documents", Value());
  set("add_generation_prompt", Value::boolean(options.add_generation_prompt));
  set("bos_token", Value::string(options.bos_token));
  set("eos_token", Value::string(options.eos_token));
  if (options.extra_json.empty()) return variables;
  const Value extra = parse_json(options.extra_json, "extra_json");
  if (!extra.is(Kind::dict)) fail(Status::invalid_argument, "extra_json is a {}, not an object", extra.type_name());
  for (const auto& [key, value] : extra.as_dict().items) {
    if (key.bytes() == "messages" || key.bytes() == "add_generation_prompt")
      fail(Status::invalid_argument, "extra_json has the key '{}', which has an argument of its own", key.bytes());
    variables.set(key, value);
  }
  return variables;
}

}  // namespace

class ChatTemplate::Impl {
 public:
  explicit Impl(std::string_view source) : body_(parse(source)) {}

  MarkedText render(const Value& messages, std::size_t input_bytes, const ChatRenderOptions& options) const try {
    return text::jinja::render(body_, variables_of(messages, options), input_bytes + options.extra_json.size());
  } catch (const Error& error) {
    fail(error.status(), "chat template: {}", error.what());
  }

  MarkedText render(std::span<const ChatMessage> messages, const ChatRenderOptions& options) const {
    std::size_t bytes = 0;
    for (const ChatMessage& message : messages) bytes += message.role.size() + message.content.size();
    return render(plain_messages(messages), bytes, options);
  }

  MarkedText render(std::string_view messages_json, const ChatRenderOptions& options) const {
    return render(checked_messages(parse_json(messages_json, "messages_json")), messages_json.size(), options);
  }

 private:
  Body body_;
};

namespace {

std::vector<ChatSegment> segments_of(const MarkedText& text) {
  std::vector<ChatSegment> segments;
  std::size_t begin = 0;
  for (const MarkedText::Run& run : text.runs()) {
    segments.push_back({text.bytes().substr(begin, run.end - begin), run.trusted});
    begin = run.end;
  }
  return segments;
}

}  // namespace

ChatTemplate::ChatTemplate(std::string_view jinja_source) try : impl_(std::make_shared<const Impl>(jinja_source)) {
} catch (const Error& error) {
  fail(error.status(), "chat template: {}", error.what());
}

std::string ChatTemplate::render(std::span<const ChatMessage> messages, const ChatRenderOptions& options) const {
  return impl_->render(messages, options).bytes();
}

std::string ChatTemplate::render_json(std::string_view messages_json, const ChatRenderOptions& options) const {
  return impl_->render(messages_json, options).bytes();
}

std::vector<ChatSegment> ChatTemplate::render_segments(std::span<const ChatMessage> messages,
                                                       const ChatRenderOptions& options) const {
  return segments_of(impl_->render(messages, options));
}

std::vector<ChatSegment> ChatTemplate::render_segments_json(std::string_view messages_json,
                                                            const ChatRenderOptions& options) const {
  return segments_of(impl_->render(messages_json, options));
}

}  // namespace mla
