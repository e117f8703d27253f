"""Text to token ids and back."""

from ctypes import byref, c_int, c_int32, c_size_t, c_void_p, sizeof, string_at
from typing import Any, List, Optional, Sequence, Union

import numpy as np
import numpy.typing as npt

from . import _abi
from ._library import Handle, Owner, call_for_bytes, check, lib, new, taken_bytes
from .errors import InvalidArgumentError
from .types import TokenKind

Text = Union[str, bytes]
Tokens = Union[Sequence[int], npt.NDArray[Any]]


def text_bytes(text: Text) -> bytes:
    return text.encode(errors="replace") if isinstance(text, str) else bytes(text)


def token_array(tokens: Tokens) -> npt.NDArray[np.int32]:
    """As the library takes them: without a copy where they are an int32 array already."""
    array = np.asarray(tokens)
    if array.size and array.dtype != np.int32:
        if array.dtype.kind not in "iu":
            raise TypeError(f"token ids and positions are whole numbers, not {array.dtype}")
        if array.min() < -2**31 or array.max() >= 2**31:
            raise InvalidArgumentError("a token id or position is not a 32-bit number")
    return np.ascontiguousarray(array, np.int32)


def token_list(function: Any, *arguments: Any) -> List[int]:
    """The ids that a function of (out, n_out, …) hands over."""
    out, n = c_void_p(), c_size_t()
    check(function(byref(out), byref(n), *arguments))
    data = taken_bytes(out, n.value * sizeof(c_int32))
    ids: List[int] = np.frombuffer(data, np.int32).tolist()
    return ids


class Tokenizer:
    """A model's tokenizer; any number of threads may use it. Get it from Model.tokenizer."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle

    def encode(self, text: Text, *, add_special: bool = True, parse_special: bool = False) -> List[int]:
        """Token ids of a text; ill-formed UTF-8 in bytes is read as U+FFFD.

        add_special: bos and eos as the model wants them. parse_special: text that reads like a control token becomes
        that token: never for text from a user.
        """
        data = text_bytes(text)
        flags = (0 if add_special else _abi.MLA_ENCODE_NO_SPECIAL) | (_abi.MLA_ENCODE_PARSE_SPECIAL if parse_special else 0)
        return token_list(lib.mla_tokenizer_encode, self.handle.pointer, data, len(data), flags)

    def decode(self, tokens: Tokens, *, show_special: bool = False) -> str:
        """The text of the tokens; bytes that are no character become U+FFFD. Control tokens only with show_special."""
        return self.decode_bytes(tokens, show_special=show_special).decode(errors="replace")

    def decode_bytes(self, tokens: Tokens, *, show_special: bool = False) -> bytes:
        """The same as bytes, which need not be whole UTF-8 if the tokens are not."""
        ids = token_array(tokens)
        return call_for_bytes(lib.mla_tokenizer_decode, self.handle.pointer, ids.ctypes.data, ids.size, show_special)

    def piece(self, token: int) -> bytes:
        """The bytes of one token, whatever its kind."""
        out, n = c_void_p(), c_size_t()
        check(lib.mla_tokenizer_piece(byref(out), byref(n), self.handle.pointer, token))
        return string_at(out.value or 0, n.value) if n.value else b""

    def kind(self, token: int) -> TokenKind:
        out = c_int()
        check(lib.mla_tokenizer_kind(byref(out), self.handle.pointer, token))
        return TokenKind(out.value)

    def find(self, text: Text) -> Optional[int]:
        """The token with exactly these bytes, a control or user-defined one first."""
        data = text_bytes(text)
        return self._token(lib.mla_tokenizer_find(self.handle.pointer, data, len(data)))

    def is_end_of_generation(self, token: int) -> bool:
        """If the token ends an answer."""
        return lib.mla_tokenizer_is_end_of_generation(self.handle.pointer, token) == 1

    def stream(self, *, show_special: bool = False) -> "TextStream":
        """Turns tokens into text one by one."""
        return TextStream(self, show_special=show_special)

    @staticmethod
    def _token(token: int) -> Optional[int]:
        return token if token >= 0 else None

    @property
    def bos(self) -> Optional[int]:
        return self._token(lib.mla_tokenizer_bos(self.handle.pointer))

    @property
    def eos(self) -> Optional[int]:
        return self._token(lib.mla_tokenizer_eos(self.handle.pointer))

    @property
    def pad(self) -> Optional[int]:
        return self._token(lib.mla_tokenizer_pad(self.handle.pointer))

    @property
    def unknown(self) -> Optional[int]:
        return self._token(lib.mla_tokenizer_unknown(self.handle.pointer))

    @property
    def add_bos(self) -> bool:
        """If encode() adds it by default."""
        return lib.mla_tokenizer_add_bos(self.handle.pointer) == 1

    @property
    def add_eos(self) -> bool:
        return lib.mla_tokenizer_add_eos(self.handle.pointer) == 1

    @property
    def pre(self) -> str:
        """Name of the pre-tokeniser."""
        return (lib.mla_tokenizer_pre(self.handle.pointer) or b"").decode()

    def __len__(self) -> int:
        """Tokens in the vocabulary."""
        return lib.mla_tokenizer_size(self.handle.pointer)


class TextStream(Owner):
    """Turns tokens into text one by one and never emits half a character. For one stream of text."""

    def __init__(self, tokenizer: Tokenizer, *, show_special: bool = False) -> None:
        self._handle = Handle(new(lib.mla_text_stream_new, tokenizer.handle.pointer, show_special), lib.mla_text_stream_free)
        self._out, self._n = c_void_p(), c_size_t()

    def push(self, token: int) -> str:
        """The text that became complete with this token, often empty."""
        check(lib.mla_text_stream_push(byref(self._out), byref(self._n), self.handle.pointer, token))
        return string_at(self._out.value or 0, self._n.value).decode() if self._n.value else ""

    def finish(self) -> str:
        """What is left: an unfinished character becomes U+FFFD. The stream can then be used anew."""
        check(lib.mla_text_stream_finish(byref(self._out), byref(self._n), self.handle.pointer))
        return string_at(self._out.value or 0, self._n.value).decode() if self._n.value else ""
