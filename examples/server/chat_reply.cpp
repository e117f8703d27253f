#include <fmt/format.h>

#include "server/reply.hpp"

namespace server {
namespace {

class ChatReply final : public Reply {
 public:
  ChatReply(ReplyContext context, Request request)
      : Reply(std::move(context), std::move(request)),
        answers_(static_cast<std::size_t>(n_choices_), Answer(request_.format)) {
    whole_name_ = "chat.completion", chunk_name_ = "chat.completion.chunk";
  }

 private:
  struct Answer {
    AnswerParser parser;
    std::string content = {}, reasoning = {};
    Json calls = Json::array(), logprobs = Json::array();
    std::string finish_reason = {};
    bool begun = false;

    explicit Answer(AnswerFormat format) : parser(format) {}
  };

  Json call_json(const ToolCall& call, int choice, int index) const {
    const std::string id =
        call.id.empty() ? fmt::format("call_{}_{}_{}", context_.id.substr(context_.id.find('-') + 1), choice, index) : call.id;
    return {{"index", index}, {"id", id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
  }

  Json logprob_json(const LogprobEntry& entry) const {
    Json json = token_json(context_.tokenizer, entry.chosen), top = Json::array();
    for (const TokenLogprob& token : entry.top) top.push_back(token_json(context_.tokenizer, token));
    json["top_logprobs"] = std::move(top);
    return json;
  }

  Json logprobs_json(const Event& event) const {
    Json content = Json::array();
    for (const LogprobEntry& entry : event.logprobs) content.push_back(logprob_json(entry));
    return content;
  }

  std::vector<Json> delta(const Event& event) override {
    Answer& answer = answers_[static_cast<std::size_t>(event.choice)];
    const int n_calls = answer.parser.n_calls();
    AnswerDelta parts = answer.parser.push(event.text);
    if (event.finish) {
      AnswerDelta rest = answer.parser.finish();
      parts.content += rest.content, parts.reasoning += rest.reasoning;
    }
    Json delta = Json::object();
    if (!answer.begun) delta = {{"role", "assistant"}, {"content", ""}};
    if (!parts.reasoning.empty()) delta["reasoning_content"] = parts.reasoning;
    if (!parts.content.empty()) delta["content"] = parts.content;
    for (const ToolCall& call : parts.calls)
      delta["tool_calls"].push_back(call_json(call, event.choice, n_calls + static_cast<int>(&call - parts.calls.data())));

    std::vector<Json> chunks;
    if (!delta.empty() || !event.logprobs.empty()) {
      answer.begun = true;
      const Json logprobs = request_.wants_logprobs ? Json{{"content", logprobs_json(event)}} : Json();
      chunks.push_back({{"index", event.choice}, {"delta", std::move(delta)}, {"logprobs", logprobs}, {"finish_reason", nullptr}});
    }
    if (event.finish)
      chunks.push_back(
          {{"index", event.choice}, {"delta", Json::object()}, {"logprobs", nullptr}, {"finish_reason", reason(answer, *event.finish)}});
    return chunks;
  }

  static std::string reason(const Answer& answer, const Finish& finish) {
    return answer.parser.n_calls() > 0 && finish.reason == FinishReason::stop ? "tool_calls" : finish_name(finish.reason);
  }

  void add(const Event& event) override {
    Answer& answer = answers_[static_cast<std::size_t>(event.choice)];
    const auto take = [&](const AnswerDelta& parts) {
      answer.content += parts.content;
      answer.reasoning += parts.reasoning;
      for (const ToolCall& call : parts.calls) {
        answer.calls.push_back(call_json(call, event.choice, static_cast<int>(answer.calls.size())));
        answer.calls.back().erase("index");
      }
    };
    take(answer.parser.push(event.text));
    for (const LogprobEntry& entry : event.logprobs) answer.logprobs.push_back(logprob_json(entry));
    if (!event.finish) return;
    take(answer.parser.finish());
    answer.finish_reason = reason(answer, *event.finish);
  }

  Json finished() const override {
    Json json = frame(whole_name_);
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      const Answer& a = answers_[i];
      Json message{{"role", "assistant"}, {"content", a.content}};
      if (!a.calls.empty() && a.content.empty()) message["content"] = nullptr;
      if (!a.reasoning.empty()) message["reasoning_content"] = a.reasoning;
      if (!a.calls.empty()) message["tool_calls"] = a.calls;
      const Json logprobs = request_.wants_logprobs ? Json{{"content", a.logprobs}} : Json();
      json["choices"].push_back(
          {{"index", i}, {"message", std::move(message)}, {"logprobs", logprobs}, {"finish_reason", a.finish_reason}});
    }
    json["usage"] = usage();
    return json;
  }

  std::vector<Answer> answers_;
};

}  // namespace

std::unique_ptr<Reply> make_chat_reply(ReplyContext context, Request request) {
  return std::make_unique<ChatReply>(std::move(context), std::move(request));
}

}  // namespace server
