// A chat template, rendered; behind a NUL byte, the conversation as JSON.
#include <mla/chat_template.hpp>

#include "fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::text(data, size);
  const std::size_t end = input.find('\0');
  return fuzz::accept_errors([&] {
    const mla::ChatTemplate chat(input.substr(0, end));
    const std::string_view messages =
        end == input.npos
            ? R"([{"role":"system","content":"S"},{"role":"user","content":"Hi <x>"},{"role":"assistant","content":"","tool_calls":[
                                               {"type":"function","function":{"name":"f","arguments":{"a":[1,2.5,null]}}}]},{"role":"tool","content":"r"}])"
            : input.substr(end + 1);
    (void)chat.render_segments_json(messages, {.bos_token = "<s>", .eos_token = "</s>", .extra_json = R"({"tools":[{"name":"f"}]})"});
  });
}
