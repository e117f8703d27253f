"""Text that a model writes, piece by piece."""

import asyncio
from ctypes import byref, c_void_p, sizeof, string_at
from typing import TYPE_CHECKING, AsyncIterator, Callable, Iterator, List, Optional, Sequence, Union

from . import _abi
from .errors import CacheFullError, InvalidArgumentError
from .sampler import Sampler

if TYPE_CHECKING:
    from typing_extensions import Literal

    from .context import Context

Stop = Union[str, Sequence[str]]


class StopFilter:
    """Lets text through until one of the stop strings is complete; holds back what may be the beginning of one."""

    def __init__(self, stop: Stop = ()) -> None:
        self._stop = [text for text in ([stop] if isinstance(stop, str) else stop) if text]
        self._held = ""
        self.stopped = False

    def push(self, text: str) -> str:
        if not self._stop:
            return text
        self._held += text
        found = [at for at in map(self._held.find, self._stop) if at >= 0]
        if found:
            self.stopped = True
            passed, self._held = self._held[:min(found)], ""
            return passed
        keep = max(self._unfinished(stop) for stop in self._stop)
        passed = self._held[:len(self._held) - keep]
        self._held = self._held[len(passed):]
        return passed

    def _unfinished(self, stop: str) -> int:
        longest = min(len(stop) - 1, len(self._held))
        return next((n for n in range(longest, 0, -1) if self._held.endswith(stop[:n])), 0)

    def finish(self) -> str:
        passed, self._held = self._held, ""
        return passed


class Generation(Iterator[str], AsyncIterator[str]):
    """The pieces of a text as they are written: `for piece in generation`, or `async for`. Ctrl-C, or cancelling the task that
    waits for a piece, stops the computation, and the loop may be taken up again; leaving it early is fine. Also a context manager:
    close() at its end.

    Afterwards, or between pieces: `tokens` that were generated, `text` so far, `n_prompt` tokens of the prompt, of which
    `n_cached` were in the cache, and `finish_reason`: None while it goes on, "stop" (the model's end, or a stop string) or
    "length" (max_tokens, or the context is full).
    """

    _on_close: Optional[Callable[[], None]] = None

    def __init__(self, context: "Context", prompt: Sequence[int], sampler: Sampler, max_tokens: Optional[int] = None, stop: Stop = (),
                 on_close: Optional[Callable[[], None]] = None, on_token: Optional[Callable[[int], bool]] = None,
                 penalise_prompt: bool = True) -> None:
        if not len(prompt):
            raise InvalidArgumentError("the prompt is empty, and this model has no token to begin with")
        self._context, self._prompt, self._sampler = context, prompt, sampler
        self._penalised = prompt if penalise_prompt else ()
        self._left = max_tokens if max_tokens is not None and max_tokens >= 0 else -1
        self._filter = StopFilter(stop)
        self._stream = context.model.tokenizer.stream()
        self._keep = sampler.handle, self._stream.handle
        self._step = _abi.mla_step(struct_size=sizeof(_abi.mla_step), sampler=sampler.handle.pointer, stream=self._stream.handle.pointer)
        self._step_argument = byref(self._step)
        self._text_address = c_void_p.from_buffer(self._step, getattr(_abi.mla_step, "text").offset)  # the field, not its value
        self._pieces: List[str] = []
        self._stopped = False  # by an exception, in the middle of a step
        self.tokens: List[int] = []
        self.n_prompt, self.n_cached = len(prompt), 0
        self.finish_reason: "Optional[Literal['stop', 'length']]" = None if self._left else "length"
        self._on_token = on_token
        self._on_close = on_close

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def __next__(self) -> str:
        piece = self._next()
        if piece is None:
            raise StopIteration
        return piece

    def __iter__(self) -> "Generation":
        return self

    def _next(self) -> Optional[str]:
        while self.finish_reason is None:
            try:
                piece = self._advance()
            except BaseException:
                self._stopped = True
                raise
            self._stopped = False
            if piece:
                self._pieces.append(piece)
                return piece
        self.close()
        return None

    def _advance(self) -> str:
        """Computes and takes one token; the text that it completes. What fails or is interrupted can be called again."""
        step = self._step
        try:
            if not (self._stopped and self._has_stepped()):
                if not self.tokens and not step.pending:
                    self._begin()
                self._context.step(self._step_argument, self._sampler)
        except CacheFullError:
            if not self.tokens:
                raise
            return self._finish("length")
        token = step.token
        if step.end or self._on_token and not self._on_token(token):
            return self._finish("stop")
        text = step.text or b""
        if len(text) != step.n_bytes:  # there are zeros in it
            text = string_at(self._text_address.value or 0, step.n_bytes)
        self.tokens.append(token)
        self._left -= 1
        passed = self._filter.push(text.decode())
        if self._filter.stopped:
            return passed + self._finish("stop")
        return passed + self._finish("length") if self._left == 0 else passed

    def _has_stepped(self) -> bool:
        """Whether the step was done when the exception of a signal handler came: the cache tells."""
        return bool(self._step.pending) and self._context.kv.seq_len(0) == self.n_prompt + len(self.tokens)

    def _begin(self) -> None:
        """Computes the prompt."""
        self.n_cached = self._context.kv.reuse_prefix(0, self._prompt[:-1])
        self._context.decode(self._prompt[self.n_cached:])
        self._sampler.reset()
        for token in self._penalised:
            self._sampler.accept(token)

    def _finish(self, reason: "Literal['stop', 'length']") -> str:
        self.finish_reason = reason
        return "" if self._filter.stopped else self._filter.push(self._stream.finish()) + self._filter.finish()

    def __aiter__(self) -> "Generation":
        return self

    async def __anext__(self) -> str:
        step = asyncio.get_running_loop().run_in_executor(None, self._next)
        try:
            piece = await asyncio.shield(step)
        except asyncio.CancelledError:
            while not step.done():  # again and again: it may not have begun to compute
                self._context.abort()
                await asyncio.wait([step], timeout=0.02)
            step.exception()
            raise
        if piece is None:
            raise StopAsyncIteration
        return piece

    def close(self) -> None:
        """Ends it; a second call does nothing."""
        on_close, self._on_close = self._on_close, None
        if on_close:
            on_close()

    async def aclose(self) -> None:
        self.close()

    def __enter__(self) -> "Generation":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
