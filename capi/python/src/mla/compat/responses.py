"""The dictionaries of OpenAI's completion interface."""

import time
import uuid
from typing import Any, Dict, Iterator, List, Optional

import numpy as np

from ..context import Context
from ..generation import Generation

Response = Dict[str, Any]


class LogProbs:
    """What create_completion(logprobs=n) reports of each token."""

    def __init__(self, context: Context, n_top: int, offset: int) -> None:
        self._context, self._n_top = context, n_top
        self._tokenizer = context.model.tokenizer
        self._offset = offset  # of the next token, in characters from the beginning of the prompt
        self.data: Dict[str, List[Any]] = {"text_offset": [], "token_logprobs": [], "tokens": [], "top_logprobs": []}

    def _text(self, token: int) -> str:
        return self._tokenizer.piece(token).decode(errors="replace")

    def __call__(self, token: int) -> None:
        logits = self._context.logits().astype(np.float64)
        logits -= logits.max()
        logits -= np.log(np.exp(logits).sum())
        top = [int(i) for i in np.argsort(-logits, kind="stable")[:self._n_top]]
        text = self._text(token)
        for key, value in (("text_offset", self._offset), ("token_logprobs", float(logits[token])), ("tokens", text),
                           ("top_logprobs", {self._text(i): float(logits[i]) for i in top + [token]})):
            self.data[key].append(value)
        self._offset += len(text)


class Completion:
    """A generation as create_completion() and create_chat_completion() return it, whole or in chunks."""

    def __init__(self, generation: Generation, model: str, logprobs: Optional[LogProbs] = None, prefix: str = "") -> None:
        self._generation, self._logprobs, self._prefix = generation, logprobs, prefix
        self._head: Response = {"id": str(uuid.uuid4()), "created": int(time.time()), "model": model}

    def _envelope(self, kind: str, choice: Response) -> Response:
        prefix = "chatcmpl-" if kind.startswith("chat") else "cmpl-"
        return {**self._head, "id": prefix + self._head["id"], "object": kind, "choices": [{"index": 0, **choice}]}

    def _usage(self) -> Dict[str, int]:
        prompt, completion = self._generation.n_prompt, len(self._generation.tokens)
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}

    def _data(self) -> Optional[Dict[str, List[Any]]]:
        return self._logprobs.data if self._logprobs else None

    def _new_data(self, seen: int) -> Optional[Dict[str, List[Any]]]:
        """Of the tokens from number `seen` on."""
        return {key: values[seen:] for key, values in self._logprobs.data.items()} if self._logprobs else None

    def text(self) -> Response:
        with self._generation as generation:
            text = self._prefix + "".join(generation)
        choice = {"text": text, "logprobs": self._data(), "finish_reason": generation.finish_reason}
        return {**self._envelope("text_completion", choice), "usage": self._usage()}

    def text_chunks(self) -> Iterator[Response]:
        def chunk(text: str, logprobs: Any, reason: Optional[str]) -> Response:
            return self._envelope("text_completion", {"text": text, "logprobs": logprobs, "finish_reason": reason})

        with self._generation as generation:
            if self._prefix:
                yield chunk(self._prefix, None, None)
            seen = 0
            for piece in generation:
                yield chunk(piece, self._new_data(seen), None)
                seen = len(generation.tokens)
            yield chunk("", self._new_data(seen), generation.finish_reason)

    def chat(self) -> Response:
        with self._generation as generation:
            message = {"role": "assistant", "content": "".join(generation)}
        choice = {"message": message, "logprobs": self._data(), "finish_reason": generation.finish_reason}
        return {**self._envelope("chat.completion", choice), "usage": self._usage()}

    def chat_chunks(self) -> Iterator[Response]:
        def chunk(delta: Dict[str, str], reason: Optional[str]) -> Response:
            return self._envelope("chat.completion.chunk", {"delta": delta, "logprobs": None, "finish_reason": reason})

        with self._generation as generation:
            yield chunk({"role": "assistant"}, None)
            for piece in generation:
                yield chunk({"content": piece}, None)
            yield chunk({}, generation.finish_reason)
