"""Tool calls through PyPI's openai client, with a model that says what real ones say. Run by run_openai_test.sh."""
import json
import pathlib
import tempfile
import unittest

import openai
from scripted_model import CONTROL, NORMAL, USER_DEFINED, write
from served import Server

TOOLS = [{"type": "function", "function": {"name": name, "description": "What it is like.", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}} for name in ("weather", "time")]

# As the models' own templates have them; the marks are of the kinds that their vocabularies give them.
SAID = {
    "deepseek-v3": [(USER_DEFINED, "<｜tool▁calls▁begin｜>"), (USER_DEFINED, "<｜tool▁call▁begin｜>"), (NORMAL, "function"), (USER_DEFINED, "<｜tool▁sep｜>"),
                    (NORMAL, 'weather\n```json\n{"city": "Oslo"}\n```'), (USER_DEFINED, "<｜tool▁call▁end｜>"), (USER_DEFINED, "<｜tool▁calls▁end｜>")],
    "two calls": [(NORMAL, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>"), (NORMAL, 'weather<｜tool▁sep｜>{"city": "Oslo"}<｜tool▁call▁end｜>'),
                  (NORMAL, "<｜tool▁call▁begin｜>time"), (NORMAL, '<｜tool▁sep｜>{"city": "Rome"}'), (NORMAL, "<｜tool▁call▁end｜><｜tool▁calls▁end｜>")],
    "kimi": [(CONTROL, "<|tool_calls_section_begin|>"), (CONTROL, "<|tool_call_begin|>"), (NORMAL, "functions.weather:0"),
             (CONTROL, "<|tool_call_argument_begin|>"), (NORMAL, '{"city": "Oslo"}'), (CONTROL, "<|tool_call_end|>"),
             (CONTROL, "<|tool_calls_section_end|>")],
    "thinking": [(CONTROL, "<think>"), (NORMAL, "I must look"), (NORMAL, " it up."), (CONTROL, "</think>"), (USER_DEFINED, "<tool_call>"),
                 (NORMAL, '{"name": "weather", '), (NORMAL, '"arguments": {"city": "Oslo"}}'), (USER_DEFINED, "</tool_call>")],
    "broken": [(NORMAL, "<tool_call>{"), (NORMAL, "city: Oslo"), (NORMAL, "}</tool_call>")],
    "answer": [(NORMAL, "It is cold"), (NORMAL, " in Oslo.")],
}
# What comes behind a tool's answer is an answer; else what the request's chat_template_kwargs name: a word of theirs would not become a control
# token, the template's own does.
TEMPLATE = """{{ bos_token }}{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}{{ m.role }}:{{ m.content or '' }}
{% for call in m.tool_calls or [] %}{{ call.function.name }}{{ call.function.arguments }}{% endfor %}{% endfor %}
{%- if messages[-1].role == 'tool' %}<|say answer|>""" + "".join(f"{{% elif what == '{name}' %}}<|say {name}|>" for name in SAID) + "{% endif %}"


class Tools(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        model = pathlib.Path(folder) / "scripted.gguf"
        write(model, [[(CONTROL, f"<|say {name}|>"), *pieces] for name, pieces in SAID.items()], TEMPLATE)
        server = cls.enterClassContext(Server("-m", str(model)))
        cls.client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=60)

    def ask(self, what, messages=None, **options):
        messages = messages or [{"role": "user", "content": "Is it cold in Oslo?"}]
        options = {"tools": TOOLS, "temperature": 0, **options}
        return self.client.chat.completions.create(model="scripted", messages=messages, extra_body={"chat_template_kwargs": {"what": what}}, **options)

    def calls(self, message):
        return [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or []]

    def test_calls_of_each_family(self):
        for family in ("deepseek-v3", "kimi", "thinking"):
            with self.subTest(family):
                choice = self.ask(family).choices[0]
                self.assertEqual(choice.finish_reason, "tool_calls")
                self.assertEqual(self.calls(choice.message), [("weather", {"city": "Oslo"})])
                self.assertIsNone(choice.message.content)
                self.assertEqual(getattr(choice.message, "reasoning_content", None), "I must look it up." if family == "thinking" else None)

    def test_two_calls_at_once(self):
        message = self.ask("two calls").choices[0].message
        self.assertEqual(self.calls(message), [("weather", {"city": "Oslo"}), ("time", {"city": "Rome"})])
        self.assertEqual(len({call.id for call in message.tool_calls}), 2)

    def test_the_whole_conversation(self):
        messages = [{"role": "user", "content": "Is it cold in Oslo?"}]
        first = self.ask("deepseek-v3", messages)
        messages.append(first.choices[0].message.model_dump(exclude_none=True))
        messages.append({"role": "tool", "tool_call_id": first.choices[0].message.tool_calls[0].id, "content": "-3 degrees"})
        second = self.ask("nothing", messages)
        self.assertEqual(second.choices[0].message.content, "It is cold in Oslo.")
        self.assertEqual(second.choices[0].finish_reason, "stop")
        self.assertIsNone(second.choices[0].message.tool_calls)
        # Each byte is a token: the call and the tool's answer are in the prompt, and what was there before was kept.
        more = 'assistant:\nweather{"city": "Oslo"}tool:-3 degrees\n'
        self.assertEqual(second.usage.prompt_tokens, first.usage.prompt_tokens + len(more))
        self.assertEqual(second.usage.prompt_tokens_details.cached_tokens, first.usage.prompt_tokens - 1)

    def test_streamed(self):
        for family, reasoning in (("two calls", ""), ("thinking", "I must look it up.")):
            whole = self.ask(family).choices[0]
            thought, calls, reasons = "", {}, []
            for chunk in self.ask(family, stream=True):
                delta = chunk.choices[0].delta
                thought += getattr(delta, "reasoning_content", None) or ""
                self.assertFalse(delta.content)
                for call in delta.tool_calls or []:
                    name, arguments = calls.get(call.index, ("", ""))
                    calls[call.index] = name + (call.function.name or ""), arguments + (call.function.arguments or "")
                reasons.append(chunk.choices[0].finish_reason)
            self.assertEqual(thought, reasoning)
            self.assertEqual([(name, json.loads(arguments)) for _, (name, arguments) in sorted(calls.items())], self.calls(whole.message))
            self.assertEqual(reasons[-1], "tool_calls")

    def test_what_is_no_call_comes_as_text(self):
        broken = self.ask("broken").choices[0]
        self.assertEqual(broken.message.content, "<tool_call>{city: Oslo}</tool_call>")
        self.assertEqual(broken.finish_reason, "stop")
        for options in ({"tools": openai.NOT_GIVEN}, {"tool_choice": "none"}):
            choice = self.ask("two calls", **options).choices[0]
            self.assertIsNone(choice.message.tool_calls)
            self.assertIn('weather<｜tool▁sep｜>{"city": "Oslo"}', choice.message.content)

    def test_what_is_refused(self):
        named = {"type": "function", "function": {"name": "weather"}}
        schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
        for name, value in (("tool_choice", "required"), ("tool_choice", named), ("response_format", {"type": "json_object"}), ("response_format", schema)):
            with self.assertRaises(openai.BadRequestError) as caught:
                self.ask("answer", **{name: value})
            self.assertEqual((caught.exception.param, caught.exception.code), (name, "unsupported_parameter"))
        for name, value in (("suffix", "x"), ("best_of", 2)):
            with self.assertRaises(openai.BadRequestError) as caught:
                self.client.completions.create(model="scripted", prompt="a", **{name: value})
            self.assertEqual((caught.exception.param, caught.exception.code), (name, "unsupported_parameter"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
