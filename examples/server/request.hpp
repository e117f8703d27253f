// OpenAI's requests, as jobs for the scheduler.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <mla/chat.hpp>
#include <mla/model.hpp>

#include "server/answer_parser.hpp"
#include "server/body.hpp"
#include "server/job.hpp"

namespace server {

struct Request {
  std::vector<Job> jobs;         ///< one for each choice, without a stream yet
  int n_per_prompt = 1;          ///< choices of the same prompt, which are neighbours
  bool stream = false;
  bool include_usage = false;    ///< a last chunk that says what the stream took
  bool wants_logprobs = false;
  AnswerFormat format = {};      ///< of chats
  std::vector<std::string> echo = {};  ///< of completions: text before each choice; empty: none
  bool base64 = false;           ///< of embeddings
};

struct RequestLimits {
  int n_ctx = 0;        ///< tokens of prompt and answer
  int max_tokens = 0;   ///< of an answer; 0: what n_ctx leaves
  int max_choices = 128;
};

/// Immutable; any number of threads.
class RequestReader {
 public:
  /// `chat_template` is Jinja source; empty: chats are refused. Throws mla::Error for a template that can't be read.
  RequestReader(std::shared_ptr<const mla::Model> model, std::string model_name, const std::string& chat_template, RequestLimits limits);

  const std::string& model_name() const noexcept { return model_name_; }

  // All throw ApiError.
  Request chat(const Json& body) const;
  Request completion(const Json& body) const;
  Request embeddings(const Json& body) const;

  /// A text as tokens, bos included; "parse_special" of the body says whether control tokens in it are such.
  std::vector<mla::Token> tokens_of(const std::string& text, const Fields& fields) const;
  std::vector<mla::Token> checked_tokens(const Json& ids, std::string_view name) const;

 private:
  void check_model(const Fields& fields) const;
  Job common_job(const Fields& fields, int default_max_tokens) const;
  Request finished(Request request, const Fields& fields, const Job& pattern, const std::vector<std::vector<mla::Token>>& prompts) const;
  std::vector<std::vector<mla::Token>> prompts_of(const Json& input, std::string_view name, const Fields& fields) const;
  std::vector<mla::Token> render(const Fields& fields, const Json& tools, Request& request) const;

  std::shared_ptr<const mla::Model> model_;
  std::string model_name_;
  std::optional<mla::ChatTemplate> template_;
  bool arguments_as_objects_;
  RequestLimits limits_;
};

/// The options of sampling that a request gives; for the first choice.
mla::SamplerOptions sampler_options(const Fields& fields, int n_vocab);

/// Messages as templates expect them: the text parts of a content joined, everything else refused. `arguments_as_objects`: arguments of
/// tool calls, which clients send as JSON in a string, become what the string says.
Json template_messages(const Json& messages, bool arguments_as_objects);

}  // namespace server
