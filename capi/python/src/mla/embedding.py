"""Vectors that stand for texts."""

from typing import TYPE_CHECKING, List, Sequence, Union

import numpy as np
import numpy.typing as npt

from .errors import InvalidArgumentError
from .tokenizer import Tokens

if TYPE_CHECKING:
    from .context import Context

Vectors = npt.NDArray[np.float32]
POOLINGS = ("mean", "last", "none")
_SEQUENCE = 1 << 30  # beside what the context writes


def embed(context: "Context", tokens: Tokens, pooling: str, normalize: bool) -> Vectors:
    """[n_embd], or, with pooling "none", [n, n_embd]."""
    if pooling not in POOLINGS:
        raise InvalidArgumentError(f"pooling is {pooling!r}: use one of {', '.join(POOLINGS)}")
    n = len(tokens)
    if n == 0:
        raise InvalidArgumentError("an empty text has no embedding")
    try:
        keep: Union[bool, List[bool]] = [False] * (n - 1) + [True] if pooling == "last" else True
        context.decode(tokens, sequences=_SEQUENCE, logits=False, keep_embedding=keep)
        rows = np.stack([context.embedding(row) for row in range(n - 1 if pooling == "last" else 0, n)])
    finally:
        if not context.closed:
            context.kv.seq_rm(_SEQUENCE)
    vectors: Vectors = rows if pooling == "none" else rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    if normalize:
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), np.finfo(np.float32).tiny)
    return vectors


def embed_all(context: "Context", texts: Sequence[Tokens], pooling: str, normalize: bool) -> Vectors:
    """[n_texts, n_embd]."""
    if pooling == "none":
        raise InvalidArgumentError('pooling "none" takes one text')
    return np.stack([embed(context, tokens, pooling, normalize) for tokens in texts])
