// Completions and embeddings.
#include <cstring>

#include "server/reply.hpp"

namespace server {
namespace {

class CompletionReply final : public Reply {
 public:
  CompletionReply(ReplyContext context, Request request)
      : Reply(std::move(context), std::move(request)),
        answers_(static_cast<std::size_t>(n_choices_)) {
    whole_name_ = chunk_name_ = "text_completion";
    for (int i = 0; i < n_choices_ && !request_.echo.empty(); ++i)
      answers_[static_cast<std::size_t>(i)].text = request_.echo[static_cast<std::size_t>(i / request_.n_per_prompt)];
  }

 private:
  struct Answer {
    std::string text;  // all of it, or in a stream what was not sent yet
    std::vector<LogprobEntry> logprobs;
    std::string finish_reason;
    std::size_t offset = 0;  // of the next token in the text
  };

  Json logprobs_json(Answer& answer, const std::vector<LogprobEntry>& entries) const {
    if (!request_.wants_logprobs) return nullptr;
    Json json{
        {"tokens", Json::array()}, {"token_logprobs", Json::array()}, {"top_logprobs", Json::array()}, {"text_offset", Json::array()}};
    for (const LogprobEntry& entry : entries) {
      const std::string_view piece = context_.tokenizer.piece(entry.chosen.token);
      Json top = Json::object();
      for (const TokenLogprob& token : entry.top) top[std::string(context_.tokenizer.piece(token.token))] = token.logprob;
      json["tokens"].push_back(piece);
      json["token_logprobs"].push_back(entry.chosen.logprob);
      json["top_logprobs"].push_back(std::move(top));
      json["text_offset"].push_back(answer.offset);
      answer.offset += piece.size();
    }
    return json;
  }

  std::vector<Json> delta(const Event& event) override {
    Answer& answer = answers_[static_cast<std::size_t>(event.choice)];
    const std::string text = std::exchange(answer.text, {}) + event.text;
    if (text.empty() && event.logprobs.empty() && !event.finish) return {};
    const Json reason = event.finish ? Json(finish_name(event.finish->reason)) : Json();
    return {{{"index", event.choice}, {"text", text}, {"logprobs", logprobs_json(answer, event.logprobs)}, {"finish_reason", reason}}};
  }

  void add(const Event& event) override {
    Answer& answer = answers_[static_cast<std::size_t>(event.choice)];
    answer.text += event.text;
    answer.logprobs.insert(answer.logprobs.end(), event.logprobs.begin(), event.logprobs.end());
    if (event.finish) answer.finish_reason = finish_name(event.finish->reason);
  }

  Json finished() const override {
    Json json = frame(whole_name_);
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      Answer answer = answers_[i];
      const Json logprobs = logprobs_json(answer, answer.logprobs);
      json["choices"].push_back({{"index", i}, {"text", answer.text}, {"logprobs", logprobs}, {"finish_reason", answer.finish_reason}});
    }
    json["usage"] = usage();
    return json;
  }

  std::vector<Answer> answers_;
};

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) text += i + k <= bytes.size() ? digits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

class EmbeddingReply final : public Reply {
 public:
  EmbeddingReply(ReplyContext context, Request request)
      : Reply(std::move(context), std::move(request)),
        embeddings_(static_cast<std::size_t>(n_choices_)) {}

 private:
  std::vector<Json> delta(const Event&) override { return {}; }

  void add(const Event& event) override {
    if (event.finish) embeddings_[static_cast<std::size_t>(event.choice)] = event.finish->embedding;
  }

  Json finished() const override {
    Json data = Json::array();
    for (std::size_t i = 0; i < embeddings_.size(); ++i) {
      std::vector<float> unit = embeddings_[i];  // of length 1, as OpenAI's are
      double squares = 0;
      for (const float value : unit) squares += static_cast<double>(value) * value;
      for (float& value : unit) value = static_cast<float>(value / std::sqrt(squares));
      const std::string_view bytes(reinterpret_cast<const char*>(unit.data()), unit.size() * sizeof(float));
      data.push_back({{"object", "embedding"}, {"index", i}, {"embedding", request_.base64 ? Json(base64(bytes)) : Json(unit)}});
    }
    const Json taken = usage();
    return {{"object", "list"}, {"data", std::move(data)}, {"model", context_.model},
            {"usage", {{"prompt_tokens", taken["prompt_tokens"]}, {"total_tokens", taken["total_tokens"]}}}};
  }

  std::vector<std::vector<float>> embeddings_;
};

}  // namespace

std::unique_ptr<Reply> make_completion_reply(ReplyContext context, Request request) {
  return std::make_unique<CompletionReply>(std::move(context), std::move(request));
}

std::unique_ptr<Reply> make_embedding_reply(ReplyContext context, Request request) {
  return std::make_unique<EmbeddingReply>(std::move(context), std::move(request));
}

}  // namespace server
