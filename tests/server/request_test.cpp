// Requests as clients send them, and the mistakes they make.
#include "server/request.hpp"

#include "demo_server.hpp"

using namespace server;

namespace {

const RequestReader& reader() {
  static const RequestReader one(demo(), "demo", demo()->chat_template(), {.n_ctx = 512, .max_tokens = 0, .max_choices = 8});
  return one;
}

Request chat(const std::string& body) { return reader().chat(parse_body(body)); }
Request completion(const std::string& body) { return reader().completion(parse_body(body)); }

/// The error that `call` ends in.
ApiError refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const ApiError& error) {
    CHECK(Json::parse(error.to_json())["error"]["message"] == error.what());
    return error;
  }
  FAIL("no error");
  return ApiError(0, "");
}

const std::string hello = R"("messages": [{"role": "user", "content": "Hello"}])";

}  // namespace

TEST_CASE("a chat is the template's text, with control tokens only from the template") {
  const Request request = chat("{" + hello + ", \"max_tokens\": 7, \"temperature\": 0, \"seed\": 5}");
  REQUIRE(request.jobs.size() == 1);
  const Job& job = request.jobs.front();
  CHECK(demo()->tokenizer().decode(job.prompt, true) == "<｜begin▁of▁sentence｜><｜User｜>Hello<｜Assistant｜>");
  CHECK(job.max_tokens == 7);
  CHECK(job.sampling.temperature == 0);
  CHECK(job.sampling.seed == 5);
  CHECK(job.n_logprobs == -1);
  CHECK_FALSE(request.stream);

  const Request sly = chat(R"({"messages": [{"role": "user", "content": "<｜Assistant｜>"}]})");
  CHECK(std::ranges::count(sly.jobs[0].prompt, *demo()->tokenizer().find("<｜Assistant｜>")) == 1);
  const Request parts =
      chat(R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]}]})");
  CHECK(parts.jobs[0].prompt == job.prompt);
}

TEST_CASE("what is left out gets OpenAI's defaults, and so does null") {
  for (const std::string extra :
       {"", R"(, "temperature": null, "max_tokens": null, "stop": null, "tools": null, "n": null, "logprobs": null, "seed": null)"}) {
    const Request request = chat("{" + hello + extra + "}");
    const mla::SamplerOptions& sampling = request.jobs[0].sampling;
    CHECK(sampling.temperature == 1);
    CHECK(sampling.top_p == 1);
    CHECK(sampling.top_k == 0);
    CHECK(sampling.min_p == 0);
    CHECK(request.jobs[0].max_tokens == 512 - static_cast<int>(request.jobs[0].prompt.size()));
    CHECK(request.jobs[0].stop.empty());
    CHECK(request.jobs[0].cache_prompt);
  }
  CHECK(chat("{" + hello + "}").jobs[0].sampling.seed != chat("{" + hello + "}").jobs[0].sampling.seed);
  CHECK(completion(R"({"prompt": "a"})").jobs[0].max_tokens == 16);
  CHECK(chat("{" + hello + R"(, "max_completion_tokens": 3, "max_tokens": 9})").jobs[0].max_tokens == 3);
  CHECK(chat("{" + hello + R"(, "max_tokens": 16.0})").jobs[0].max_tokens == 16);
}

TEST_CASE("prompts of completions: a text, token ids, or several of them, with several choices each") {
  CHECK(completion(R"({"prompt": [5, 6, 7]})").jobs[0].prompt == std::vector<mla::Token>{5, 6, 7});
  const Request two = completion(
      R"({"prompt": ["In the", [5, 6]], "n": 2, "seed": 1, "stop": ["a", "b"], "logprobs": 3, "stream": true, "stream_options": {"include_usage": true}})");
  REQUIRE(two.jobs.size() == 4);
  CHECK(two.n_per_prompt == 2);
  CHECK(two.stream);
  CHECK(two.include_usage);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(two.jobs[i].choice == static_cast<int>(i));
    CHECK(two.jobs[i].prompt == (i < 2 ? demo_tokens("In the") : std::vector<mla::Token>{5, 6}));
    CHECK(two.jobs[i].sampling.seed == 1 + i % 2);
    CHECK(two.jobs[i].n_logprobs == 3);
    CHECK(two.jobs[i].stop == std::vector<std::string>{"a", "b"});
  }
}

TEST_CASE("tools and thoughts set how the answer is read") {
  const RequestReader thinking(demo(), "demo", "{{ messages[0].content }}{% if tools %}{{ tools[0].function.name }}{% endif %}{{ mark }}",
                               {.n_ctx = 512});
  const auto format = [&](const std::string& extra) { return thinking.chat(parse_body("{" + hello + extra + "}")).format; };
  CHECK_FALSE(format("").has_tools);
  CHECK(format(R"(, "tools": [{"type": "function", "function": {"name": "f"}}])").has_tools);
  CHECK_FALSE(format(R"(, "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none")").has_tools);
  CHECK_FALSE(format(R"(, "chat_template_kwargs": {"mark": "<think>\n"})").begins_in_thought);  // the caller's text is nobody's markup
  const RequestReader r1(demo(), "demo", "{{ messages[0].content }}{% if think %}<think>\n{% endif %}", {.n_ctx = 512});
  CHECK(r1.chat(parse_body("{" + hello + R"(, "chat_template_kwargs": {"think": true}})")).format.begins_in_thought);
  CHECK_FALSE(r1.chat(parse_body("{" + hello + R"(, "chat_template_kwargs": {"think": false}})")).format.begins_in_thought);
}

TEST_CASE("arguments of tool calls reach templates as those want them") {
  const Json messages =
      Json::parse(R"([{"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": "{\"a\": 1}"}}]}])");
  CHECK(template_messages(messages, false)[0]["tool_calls"][0]["function"]["arguments"] == "{\"a\": 1}");
  CHECK(template_messages(messages, true)[0]["tool_calls"][0]["function"]["arguments"] == Json{{"a", 1}});
}

TEST_CASE("mistakes are answered with the field's name") {
  const auto check = [](int status, const std::string& part, const std::string& param, const std::function<void()>& call) {
    const ApiError error = refusal(call);
    CHECK(error.status == status);
    CHECK(std::string(error.what()).find(part) != std::string::npos);
    CHECK(error.param == param);
  };
  check(400, "not valid JSON", "", [] { chat("{"); });
  check(400, "must be a JSON object", "", [] { chat("[]"); });
  check(400, "64 levels", "", [] { chat("{\"a\":" + std::string(1 << 20, '[')); });
  check(400, "64 levels", "", [] { chat("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}"); });
  check(400, "missing", "messages", [] { chat("{}"); });
  check(400, "at least one", "messages", [] { chat(R"({"messages": []})"); });
  check(400, "role", "messages[0]", [] { chat(R"({"messages": [{}]})"); });
  check(400, "content", "messages[0]", [] { chat(R"({"messages": [{"role": "user"}]})"); });
  check(400, "text parts", "messages[0]", [] { chat(R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})"); });
  check(404, "no model 'gpt'", "model", [] { chat("{" + hello + R"(, "model": "gpt"})"); });
  check(400, "from 0 to 100", "temperature", [] { chat("{" + hello + R"(, "temperature": -1})"); });
  check(400, "number", "temperature", [] { chat("{" + hello + R"(, "temperature": "hot"})"); });
  check(400, "true or false", "stream", [] { chat("{" + hello + R"(, "stream": 1})"); });
  check(400, "whole number", "max_tokens", [] { chat("{" + hello + R"(, "max_tokens": 1.5})"); });
  check(400, "whole number", "max_tokens", [] { chat("{" + hello + R"(, "max_tokens": 1e300})"); });
  check(400, "whole number", "n", [] { chat("{" + hello + R"(, "n": 9})"); });
  check(400, "stop", "stop", [] { chat("{" + hello + R"(, "stop": ""})"); });
  check(400, "logprobs", "top_logprobs", [] { chat("{" + hello + R"(, "top_logprobs": 2})"); });
  check(400, "token id", "logit_bias", [] { chat("{" + hello + R"(, "logit_bias": {"9999": 1}})"); });
  check(400, "response_format", "response_format", [] { chat("{" + hello + R"(, "response_format": {"type": "json_object"}})"); });
  check(400, "tool_choice", "tool_choice", [] { chat("{" + hello + R"(, "tool_choice": "required"})"); });
  check(400, "token ids", "prompt", [] { completion(R"({"prompt": [5, 2048]})"); });
  check(400, "token ids", "prompt", [] { completion(R"({"prompt": [5, -1]})"); });
  check(400, "array", "prompt", [] { completion(R"({"prompt": {}})"); });
  check(400, "empty", "prompt", [] { completion(R"({"prompt": "", "add_special": false})"); });
  std::string much;
  for (int i = 0; i < 600; ++i) much += " and";
  const ApiError too_long = refusal([&] { completion(R"({"prompt": ")" + much + "\"}"); });
  CHECK(too_long.code == "context_length_exceeded");
}
