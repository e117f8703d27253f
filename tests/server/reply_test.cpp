// Events of the scheduler as the JSON that clients read.
#include "server/reply.hpp"

#include "demo_server.hpp"

using namespace server;

namespace {

Request request_for(int n_choices, AnswerFormat format = {}, bool include_usage = false) {
  Request request;
  request.jobs.resize(static_cast<std::size_t>(n_choices));
  request.n_per_prompt = n_choices;
  request.format = format;
  request.include_usage = include_usage;
  return request;
}

ReplyContext context() { return {"x-1", 5, "demo", demo()->tokenizer()}; }

Finish finish(FinishReason reason) { return {.reason = reason, .n_prompt = 10, .n_cached = 4, .n_generated = 3}; }

std::vector<Json> chunks(Reply& reply, const std::vector<Event>& events) {
  std::vector<Json> all;
  for (const Event& event : events)
    for (const std::string& text : reply.stream(event)) all.push_back(Json::parse(text));
  return all;
}

}  // namespace

TEST_CASE("a chat as a stream: role first, then text, the reason, and the usage if asked") {
  const auto reply = make_chat_reply(context(), request_for(1, {}, true));
  const auto all = chunks(*reply, {{0, "Hel"}, {0, "lo"}, {0, "", {}, finish(FinishReason::stop)}});
  REQUIRE(all.size() == 4);
  CHECK(all[0]["object"] == "chat.completion.chunk");
  CHECK(all[0]["choices"][0]["delta"] == Json{{"role", "assistant"}, {"content", "Hel"}});
  CHECK(all[1]["choices"][0]["delta"] == Json{{"content", "lo"}});
  CHECK(all[1]["choices"][0]["finish_reason"].is_null());
  CHECK(all[2]["choices"][0]["finish_reason"] == "stop");
  CHECK(all[3]["choices"].empty());
  CHECK(all[3]["usage"]["prompt_tokens"] == 10);
  CHECK(all[3]["usage"]["prompt_tokens_details"]["cached_tokens"] == 4);
  CHECK(all[3]["usage"]["total_tokens"] == 13);
  CHECK(reply->complete());
}

TEST_CASE("thoughts and tool calls have places of their own, in a stream and whole") {
  const std::vector<Event> events{
      {0, "<think>Hm"}, {0, "</think>I look."}, {0, "<tool_call>f</tool_call>"}, {0, "", {}, finish(FinishReason::stop)}};
  const auto streamed = make_chat_reply(context(), request_for(1, {.has_tools = true}));
  const auto all = chunks(*streamed, events);
  REQUIRE(all.size() == 4);
  CHECK(all[0]["choices"][0]["delta"]["reasoning_content"] == "Hm");
  CHECK(all[1]["choices"][0]["delta"]["content"] == "I look.");
  CHECK(all[2]["choices"][0]["delta"]["tool_calls"][0]["index"] == 0);
  CHECK(all[2]["choices"][0]["delta"]["tool_calls"][0]["function"] == Json{{"name", "f"}, {"arguments", "{}"}});
  CHECK(all[3]["choices"][0]["finish_reason"] == "tool_calls");

  const auto whole = make_chat_reply(context(), request_for(1, {.has_tools = true}));
  for (const Event& event : events) whole->collect(event);
  const Json message = Json::parse(whole->whole())["choices"][0]["message"];
  CHECK(message["reasoning_content"] == "Hm");
  CHECK(message["content"] == "I look.");
  CHECK(message["tool_calls"][0]["type"] == "function");
  CHECK(message["tool_calls"][0]["id"].get<std::string>().starts_with("call_"));
}

TEST_CASE("several choices keep apart, and their prompt counts once") {
  const auto reply = make_completion_reply(context(), request_for(2));
  for (const Event& event :
       std::vector<Event>{{0, "a"}, {1, "x"}, {1, "", {}, finish(FinishReason::length)}, {0, "b"}, {0, "", {}, finish(FinishReason::stop)}})
    reply->collect(event);
  REQUIRE(reply->complete());
  const Json json = Json::parse(reply->whole());
  CHECK(json["choices"][0]["text"] == "ab");
  CHECK(json["choices"][1]["text"] == "x");
  CHECK(json["choices"][1]["finish_reason"] == "length");
  CHECK(json["usage"]["prompt_tokens"] == 10);
  CHECK(json["usage"]["completion_tokens"] == 6);
}

TEST_CASE("embeddings have length 1, as numbers and in base64") {
  Finish end = finish(FinishReason::length);
  end.embedding = {3, 0, -4};
  for (const bool base64 : {false, true}) {
    Request request = request_for(1);
    request.base64 = base64;
    const auto reply = make_embedding_reply(context(), request);
    reply->collect({0, "", {}, end});
    const Json embedding = Json::parse(reply->whole())["data"][0]["embedding"];
    if (base64)
      CHECK(embedding == "mpkZPwAAAADNzEy/");  // Python: base64.b64encode(numpy.array([.6, 0, -.8], '<f4'))
    else
      CHECK(embedding == Json{0.6f, 0.0f, -0.8f});
  }
}

TEST_CASE("an answer that failed ends the stream with its error") {
  const auto reply = make_chat_reply(context(), request_for(1));
  Finish end = finish(FinishReason::failed);
  end.error = "the logit of token 3 is nan";
  const auto all = chunks(*reply, {{0, "a"}, {0, "", {}, end}});
  REQUIRE(all.size() == 2);
  CHECK(all[1]["error"]["message"] == "the logit of token 3 is nan");
  CHECK(all[1]["error"]["type"] == "server_error");
}
