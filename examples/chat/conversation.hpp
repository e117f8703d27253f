// A conversation with a model: its messages, and the tokens of them that are in the cache.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include <mla/chat_template.hpp>
#include <mla/context.hpp>
#include <mla/sampler.hpp>

namespace chat {

/// How an answer ended.
enum class Ending { whole, limit, interrupted };

/// What a turn took.
struct Turn {
  Ending ending = Ending::whole;
  int n_reused = 0, n_read = 0, n_written = 0;  ///< tokens
  int n_shifted = 0;                            ///< that left the full context, oldest first
};

/// The context's sequence 0. Every turn renders all messages again and computes what the cache doesn't hold of that, so templates that
/// leave thoughts out of older turns are no special case.
class Conversation {
 public:
  /// `system`: the first message, or empty. Throws mla::Error for a template that can't be read.
  Conversation(mla::Context& context, const std::string& chat_template, std::string system);

  /// Adds the message and generates the answer, at most n_predict tokens (-1: any number). `show` gets its text as it comes. Interrupted,
  /// the answer stays as far as it came. Throws mla::Error, and program::Failure for a message that doesn't fit; the message is then not
  /// added.
  Turn say(const std::string& text, int n_predict, mla::Sampler& sampler, const std::function<void(const std::string&)>& show);

  /// Begins anew.
  void clear();
  const std::vector<mla::ChatMessage>& messages() const noexcept { return messages_; }

  /// Writes the messages to `path` + ".json", and the cache to `path`. Throws mla::Error, program::Failure.
  void save(const std::string& path) const;
  /// Throws mla::Error, program::Failure; the conversation is then as it was.
  void load(const std::string& path);

 private:
  std::vector<mla::Token> render(const std::vector<mla::ChatMessage>& messages, bool for_answer) const;
  std::vector<mla::Token> render_to_fit();
  void keep_common(const std::vector<mla::Token>& wanted);
  bool read(const std::vector<mla::Token>& tokens);
  bool decode(const mla::Batch& batch);
  int shift();
  void drop(std::size_t begin, std::size_t n);
  std::size_t n_fixed() const;

  mla::Context& context_;
  const mla::Tokenizer& tokenizer_;
  mla::ChatTemplate template_;
  std::size_t n_ctx_;
  std::vector<mla::ChatMessage> messages_;
  std::size_t n_system_;             // messages that are never dropped
  std::size_t first_ = 0;            // message behind the system's that the model still sees
  std::vector<mla::Token> tokens_;   // in the cache
};

}  // namespace chat
