// Thoughts and tool calls, in the forms that the models' own templates show, cut anywhere.
#include "server/answer_parser.hpp"

#include <random>

#include "catch.hpp"

using namespace server;

namespace {

struct Parsed {
  std::string content, reasoning;
  std::vector<std::string> calls;  // "id|name|arguments"
  bool operator==(const Parsed&) const = default;
};

void add(Parsed& all, const AnswerDelta& delta) {
  all.content += delta.content;
  all.reasoning += delta.reasoning;
  for (const ToolCall& call : delta.calls) all.calls.push_back(call.id + "|" + call.name + "|" + call.arguments);
}

// The same however the text is cut, which the rounds try.
Parsed parse(const std::string& text, AnswerFormat format) {
  std::mt19937 random(3);
  Parsed first;
  for (int round = 0; round < 50; ++round) {
    AnswerParser parser(format);
    Parsed all;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t n = round == 0 ? text.size() : round == 1 ? 1 : 1 + random() % 20;
      add(all, parser.push(text.substr(begin, n)));
      begin += n;
    }
    add(all, parser.finish());
    CHECK(parser.n_calls() == static_cast<int>(all.calls.size()));
    if (round == 0) first = all;
    CAPTURE(round, text);
    CHECK(all.content == first.content);
    CHECK(all.reasoning == first.reasoning);
    CHECK(all.calls == first.calls);
  }
  return first;
}

constexpr AnswerFormat plain{}, thinking{.begins_in_thought = true}, tools{.has_tools = true};

}  // namespace

TEST_CASE("answers without markup stay as they are") {
  CHECK(parse(" Hello,\nworld <b>\n", plain) == Parsed{" Hello,\nworld <b>\n", "", {}});
  CHECK(parse("", plain) == Parsed{});
  CHECK(parse("  \n", plain) == Parsed{"  \n", "", {}});
  CHECK(parse("<thin", plain) == Parsed{"<thin", "", {}});
  CHECK(parse("text about <think> tags</think>", plain) == Parsed{"text about <think> tags</think>", "", {}});
  CHECK(parse("a <tool_call>{}</tool_call>", plain) == Parsed{"a <tool_call>{}</tool_call>", "", {}});  // no tools were offered
}

TEST_CASE("thoughts come apart from the answer") {
  CHECK(parse("<think>\nHm.\n\nSo.\n</think>\n\nYes.\n", plain) == Parsed{"Yes.\n", "Hm.\n\nSo.", {}});
  CHECK(parse("\n<think>a</think>b", plain) == Parsed{"b", "a", {}});
  CHECK(parse("Hm.\n</think>\n\nYes.", thinking) == Parsed{"Yes.", "Hm.", {}});
  CHECK(parse("never ends </thin", thinking) == Parsed{"", "never ends </thin", {}});
  CHECK(parse("</think>Yes", thinking) == Parsed{"Yes", "", {}});
}

TEST_CASE("tool calls of DeepSeek-V3 and -R1") {
  const std::string call =
      "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{\"city\": \"Oslo\"}\n```<｜tool▁call▁end｜>\n"
      "<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>";
  CHECK(parse(call, tools) == Parsed{"", "", {"|get_weather|{\"city\": \"Oslo\"}", "|now|{}"}});
  CHECK(parse("Let me look.\n\n" + call, tools) == Parsed{"Let me look.\n\n", "", {"|get_weather|{\"city\": \"Oslo\"}", "|now|{}"}});
  CHECK(parse("<think>Look.</think>" + call, tools) == Parsed{"", "Look.", {"|get_weather|{\"city\": \"Oslo\"}", "|now|{}"}});
}

TEST_CASE("tool calls of DeepSeek-V3.1") {
  CHECK(parse("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\":1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>", tools) ==
        Parsed{"", "", {"|f|{\"a\":1}"}});
  CHECK(parse("<｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\":1}<｜tool▁call▁end｜>", tools) == Parsed{"", "", {"|f|{\"a\":1}"}});
}

TEST_CASE("tool calls of Kimi-K2 and GLM, and plain JSON") {
  CHECK(parse("<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{\"a\":1}<|tool_call_end|>"
              "<|tool_call_begin|>functions.g.h:1<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>",
              tools) == Parsed{"", "", {"functions.f:0|f|{\"a\":1}", "functions.g.h:1|g.h|{}"}});
  CHECK(parse("<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>1</arg_value>\n<arg_key>b</arg_key>\n<arg_value>two "
              "words</arg_value>\n</tool_call>",
              tools) == Parsed{"", "", {"|f|{\"a\":1,\"b\":\"two words\"}"}});
  CHECK(parse("<tool_call>f</tool_call>", tools) == Parsed{"", "", {"|f|{}"}});
  CHECK(parse("<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": [1, 2]}}\n</tool_call>\n<tool_call>{\"name\":\"g\"}</tool_call>",
              tools) == Parsed{"", "", {"|f|{\"a\":[1,2]}", "|g|{}"}});
}

TEST_CASE("calls that are none come out as text, and nothing is lost") {
  CHECK(parse("<tool_call>{\"nam\": 1}</tool_call>", tools) == Parsed{"<tool_call>{\"nam\": 1}</tool_call>", "", {}});
  CHECK(parse("<tool_call>{\"name\": \"f\"", tools) == Parsed{"<tool_call>{\"name\": \"f\"", "", {}});
  const Parsed cut = parse("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\"", tools);
  CHECK(cut.calls.empty());
  CHECK(cut.content == "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\"");
  CHECK(parse("<tool_call>f</tool_call> and text", tools) == Parsed{"and text", "", {"|f|{}"}});
}
