#!/usr/bin/env python3
"""Renders every template of templates/ over conversations.py, and the snippets of snippets.py, with the Jinja
environment of Hugging Face transformers: the oracle of tests/text/chat_template_golden.cpp.

    python3 make_golden.py        # needs transformers and jinja2; writes rendered/*.json and snippets.json

The versions used are written into each file.
"""
import json
import pathlib

import jinja2
import transformers
from transformers.utils.chat_template_utils import _compile_jinja_template, render_jinja_template

from conversations import CONVERSATIONS
from snippets import SNIPPETS, VARIABLES

HERE = pathlib.Path(__file__).parent
VERSIONS = {"jinja2": jinja2.__version__, "transformers": transformers.__version__}
TOKENS = {"DeepSeek": ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"), "Kimi": ("[BOS]", "[EOS]"),
          "Moonlight": ("[BOS]", "[EOS]"), "GLM": ("", "<|endoftext|>"), "MiniCPM": ("<s>", "</s>"), "GigaChat": ("<s>", "</s>")}


def outcome(render):
    try:
        return {"text": render()}
    except Exception as error:  # whatever a template makes Python raise
        return {"error": f"{type(error).__name__}: {error}"}


def write(path, value):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"made_with": VERSIONS, **value}, ensure_ascii=False, indent=1) + "\n")


def main():
    write(HERE / "conversations.json", {"conversations": [
        {"name": name, "messages": messages, "extra": extra} for name, (messages, extra) in CONVERSATIONS.items()]})
    for path in sorted((HERE / "templates").glob("*.jinja")):
        source = path.read_text()
        bos, eos = next(tokens for prefix, tokens in TOKENS.items() if path.name.startswith(prefix))
        cases = []
        for name, (messages, extra) in CONVERSATIONS.items():
            for prompt in (True, False):
                def render():
                    return render_jinja_template([messages], chat_template=source, add_generation_prompt=prompt,
                                                 bos_token=bos, eos_token=eos, **extra)[0][0]
                cases.append({"conversation": name, "add_generation_prompt": prompt, **outcome(render)})
        write(HERE / "rendered" / f"{path.stem}.json", {"bos_token": bos, "eos_token": eos, "cases": cases})
    write(HERE / "snippets.json", {"variables": VARIABLES, "snippets": [
        {"template": source, **outcome(lambda: _compile_jinja_template(source).render(messages=[], tools=None, documents=None, add_generation_prompt=True,
                                                                             bos_token="", eos_token="", **VARIABLES))}
        for source in SNIPPETS]})


if __name__ == "__main__":
    main()
