"""A conversation as the text, or the tokens, that a model was trained on."""

import json
from ctypes import byref, sizeof
from typing import Any, List, Mapping, Optional, Sequence

from . import _abi
from ._library import Handle, Owner, call_for_bytes, lib, new
from .tokenizer import Tokenizer, token_list

Message = Mapping[str, Any]  #: as in OpenAI's interface: {"role": "user", "content": "…"}, tool_calls, reasoning_content, …


class ChatTemplate(Owner):
    """A parsed chat template (Jinja); any number of threads may use it. A model's own: Model.chat_template."""

    def __init__(self, source: str) -> None:
        """Raises BadFileError (syntax) or UnsupportedError (a construct that libmla lacks), naming the line."""
        self._handle = Handle(new(lib.mla_chat_template_new, source.encode()), lib.mla_chat_template_free)
        self.source = source

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool = True, bos_token: str = "", eos_token: str = "",
               **variables: Any) -> str:
        """The conversation as text. `variables` are further ones of the template: tools, thinking, …"""
        options = _options(add_generation_prompt, variables, bos_token, eos_token)
        return call_for_bytes(lib.mla_chat_render_json, self.handle.pointer, _json(messages), byref(options)).decode()

    def encode(self, tokenizer: Tokenizer, messages: Sequence[Message], *, add_generation_prompt: bool = True,
               **variables: Any) -> List[int]:
        """The conversation as token ids. Control tokens that the template writes become tokens; the same characters inside a
        message stay text. No second bos is added."""
        options = _options(add_generation_prompt, variables)
        return token_list(lib.mla_chat_encode_json, self.handle.pointer, tokenizer.handle.pointer, _json(messages), byref(options))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode(errors="replace")


def _options(add_generation_prompt: bool, variables: Mapping[str, Any], bos: Optional[str] = None,
             eos: Optional[str] = None) -> _abi.mla_chat_options:
    return _abi.mla_chat_options(
        struct_size=sizeof(_abi.mla_chat_options), no_generation_prompt=not add_generation_prompt,
        bos_token=bos.encode() if bos is not None else None, eos_token=eos.encode() if eos is not None else None,
        extra_json=_json(variables) if variables else None)
