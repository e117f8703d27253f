// Chat templates against Python's jinja2 in the environment of Hugging Face transformers (tests/golden/chat/make_golden.py).
#include <algorithm>
#include <fstream>
#include <mla/chat_template.hpp>
#include <mla/error.hpp>
#include <nlohmann/json.hpp>

#include "catch.hpp"

using namespace mla;

namespace {

using Json = nlohmann::ordered_json;  // templates print objects in the order of their keys

std::string contents(const std::string& name) {
  const std::string path = std::string(MLA_SOURCE_DIR) + "/tests/golden/chat/" + name;
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// An expected error only has to be some Error of ours: Python's words are its own.
void check_outcome(const Json& expected, const std::string& what, const auto& render) {
  INFO(what);
  try {
    const std::string text = render();
    if (expected.contains("text"))
      CHECK(text == expected["text"].get<std::string>());
    else
      FAIL_CHECK("rendered \"" << text << "\"; wanted the error " << expected["error"]);
  } catch (const Error& error) {
    if (expected.contains("text")) FAIL_CHECK(error.what() << "; wanted \"" << expected["text"].get<std::string>() << '"');
  }
}

}  // namespace

TEST_CASE("real chat templates render as in Python", "[chat]") {
  const Json conversations = Json::parse(contents("conversations.json"))["conversations"];
  for (const std::string name :
       {"DeepSeek-V2-Chat-0628", "DeepSeek-V2-Lite-Chat", "DeepSeek-V2.5", "DeepSeek-V3", "DeepSeek-V3-0324", "DeepSeek-V3.1",
        "DeepSeek-V3.2-Exp", "DeepSeek-V3.2", "DeepSeek-R1", "DeepSeek-R1-0528", "DeepSeek-R1-Distill-Llama-8B",
        "Kimi-K2-Instruct", "Kimi-K2-Thinking", "Kimi-K2.5", "Moonlight-16B-A3B-Instruct", "GLM-4.7-Flash", "GLM-5.1",
        "GigaChat3-10B-A1.8B", "MiniCPM3-4B"}) {
    const ChatTemplate chat(contents("templates/" + name + ".jinja"));
    const Json golden = Json::parse(contents("rendered/" + name + ".json"));
    REQUIRE(golden["cases"].size() == 2 * conversations.size());
    for (const Json& expected : golden["cases"]) {
      const auto conversation = std::find_if(conversations.begin(), conversations.end(),
                                             [&](const Json& c) { return c["name"] == expected["conversation"]; });
      REQUIRE(conversation != conversations.end());
      const ChatRenderOptions options = {.add_generation_prompt = expected["add_generation_prompt"],
                                         .bos_token = golden["bos_token"],
                                         .eos_token = golden["eos_token"],
                                         .extra_json = (*conversation)["extra"].dump()};
      const std::string messages = (*conversation)["messages"].dump();
      const std::string what = name + ", " + expected["conversation"].get<std::string>();
      check_outcome(expected, what, [&] { return chat.render_json(messages, options); });
      check_outcome(expected, what + ", in segments", [&] {
        std::string text;
        for (const ChatSegment& segment : chat.render_segments_json(messages, options)) text += segment.text;
        return text;
      });
    }
  }
}

TEST_CASE("each construct of the Jinja subset does as in Python", "[chat]") {
  const Json golden = Json::parse(contents("snippets.json"));
  const ChatRenderOptions options = {.bos_token = "", .eos_token = "", .extra_json = golden["variables"].dump()};
  for (const Json& snippet : golden["snippets"]) {
    const std::string source = snippet["template"];
    check_outcome(snippet, source, [&] { return ChatTemplate(source).render_json("[]", options); });
  }
}
