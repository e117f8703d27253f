#include "server/reply.hpp"

#include <utility>

namespace server {

Reply::Reply(ReplyContext context, Request request)
    : context_(std::move(context)), request_(std::move(request)), n_choices_(static_cast<int>(request_.jobs.size())) {}

std::string finish_name(FinishReason reason) { return reason == FinishReason::length ? "length" : "stop"; }

Json token_json(const mla::Tokenizer& tokenizer, const TokenLogprob& token) {
  const std::string_view piece = tokenizer.piece(token.token);
  Json bytes = Json::array();
  for (const char byte : piece) bytes.push_back(static_cast<unsigned char>(byte));
  return {{"token", piece}, {"logprob", token.logprob}, {"bytes", std::move(bytes)}};
}

// A prompt with several choices counts once.
void Reply::note(const Event& event) {
  if (!event.finish) return;
  ++n_finished_;
  n_generated_ += event.finish->n_generated;
  if (event.choice % request_.n_per_prompt == 0) {
    n_prompt_ += event.finish->n_prompt;
    n_cached_ += event.finish->n_cached;
  }
  if (event.finish->reason == FinishReason::failed) error_ = event.finish->error;
}

Json Reply::frame(const char* object) const {
  return {{"id", context_.id}, {"object", object}, {"created", context_.created}, {"model", context_.model}, {"choices", Json::array()}};
}

Json Reply::usage() const {
  return {{"prompt_tokens", n_prompt_}, {"completion_tokens", n_generated_}, {"total_tokens", n_prompt_ + n_generated_},
          {"prompt_tokens_details", {{"cached_tokens", n_cached_}}}};
}

std::vector<std::string> Reply::stream(const Event& event) {
  note(event);
  if (!error_.empty()) return {ApiError(500, error_).to_json()};
  std::vector<std::string> texts;
  for (Json& choice : delta(event)) {
    Json chunk = frame(chunk_name_);
    chunk["choices"].push_back(std::move(choice));
    if (request_.include_usage) chunk["usage"] = nullptr;
    texts.push_back(dump(chunk));
  }
  if (complete() && request_.include_usage) {
    Json chunk = frame(chunk_name_);
    chunk["usage"] = usage();
    texts.push_back(dump(chunk));
  }
  return texts;
}

void Reply::collect(const Event& event) {
  note(event);
  add(event);
}

std::string Reply::whole() const { return dump(finished()); }

}  // namespace server
