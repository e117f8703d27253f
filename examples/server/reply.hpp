// Answers in OpenAI's form: chunks of a stream, or one object when all is there.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include <mla/tokenizer.hpp>

#include "server/answer_stream.hpp"
#include "server/request.hpp"

namespace server {

/// What every reply needs to know.
struct ReplyContext {
  std::string id;       ///< "chatcmpl-…"
  std::int64_t created;  ///< seconds since 1970
  std::string model;
  mla::Tokenizer tokenizer;
};

/// Takes the events of one request. Used by one thread at a time.
class Reply {
 public:
  Reply(ReplyContext context, Request request);
  virtual ~Reply() = default;

  /// The JSON texts that a stream sends for this event, usually one or none.
  std::vector<std::string> stream(const Event& event);
  /// Takes the event for whole().
  void collect(const Event& event);

  bool complete() const noexcept { return n_finished_ == n_choices_; }
  const std::string& error() const noexcept { return error_; }  ///< why an answer failed; empty: none did
  std::string whole() const;

 protected:
  virtual std::vector<Json> delta(const Event& event) = 0;  ///< "choices" entries of a chunk
  virtual void add(const Event& event) = 0;
  virtual Json finished() const = 0;

  Json frame(const char* object) const;
  Json usage() const;
  void note(const Event& event);

  const ReplyContext context_;
  const Request request_;
  const int n_choices_;
  const char *whole_name_ = "", *chunk_name_ = "";

 private:
  std::string error_;
  int n_finished_ = 0;
  int n_prompt_ = 0, n_cached_ = 0, n_generated_ = 0;
};

std::unique_ptr<Reply> make_chat_reply(ReplyContext context, Request request);
std::unique_ptr<Reply> make_completion_reply(ReplyContext context, Request request);
std::unique_ptr<Reply> make_embedding_reply(ReplyContext context, Request request);

/// "stop", "length"
std::string finish_name(FinishReason reason);

/// A token's text; its bytes need not be UTF-8.
Json token_json(const mla::Tokenizer& tokenizer, const TokenLogprob& token);

}  // namespace server
