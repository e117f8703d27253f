// ChatTemplate: turns a conversation into the text a model was trained on, by the model file's own Jinja template.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mla {

/// One turn of a conversation in its plain form. Turns with tool calls or reasoning go through the *_json calls.
struct ChatMessage {
  std::string role;     ///< "system", "user", "assistant", "tool"
  std::string content;
};

struct ChatRenderOptions {
  bool add_generation_prompt = true;  ///< end with the prefix of an assistant turn
  std::string bos_token = {};         ///< text of the model's first token, e.g. "<｜begin▁of▁sentence｜>"
  std::string eos_token = {};
  /// A JSON object of further template variables, or empty: tools, thinking, enable_thinking, documents, …
  std::string extra_json = {};
};

/// A piece of rendered text. Control tokens may be parsed only in trusted pieces.
struct ChatSegment {
  std::string text;
  bool trusted;  ///< written by the template, or bos/eos; false: anything derived from messages, tools or extra variables
};

/// A parsed chat template: a bounded subset of Jinja whose output is that of Hugging Face transformers.
/// Immutable and cheap to copy; any number of threads may render with one object.
class ChatTemplate {
 public:
  /// Throws Error: unsupported for a construct of Jinja that this version lacks, bad_file for a syntax error or a
  /// template beyond the limits of size and nesting; each names the construct and the line.
  explicit ChatTemplate(std::string_view jinja_source);

  /// Throws Error: invalid_argument with the template's own words if it refuses the conversation (raise_exception), or if
  /// the variables do not fit what the template does with them, or are no JSON; bad_file for an undefined function or an
  /// operation without meaning in the template; unsupported where rendering meets what this version lacks, or takes more
  /// steps, output or memory than a chat template may.
  std::string render(std::span<const ChatMessage> messages, const ChatRenderOptions& options = {}) const;
  /// `messages_json`: an OpenAI-style JSON array of messages with tool_calls, reasoning_content, …
  std::string render_json(std::string_view messages_json, const ChatRenderOptions& options = {}) const;

  /// The same text cut into trusted and untrusted pieces, none empty, neighbours never of the same kind.
  std::vector<ChatSegment> render_segments(std::span<const ChatMessage> messages, const ChatRenderOptions& options = {}) const;
  std::vector<ChatSegment> render_segments_json(std::string_view messages_json, const ChatRenderOptions& options = {}) const;

 private:
  class Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace mla
