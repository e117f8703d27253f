"""The tokens of one Context.decode()."""

from ctypes import sizeof
from typing import Any, List, Optional, Sequence, Union

import numpy as np
import numpy.typing as npt

from . import _abi
from .errors import InvalidArgumentError
from .tokenizer import Tokens, token_array

Flags = Union[bool, Sequence[bool]]  #: for all rows, or [n]


class Batch:
    """A mla_batch and the arrays it points to."""

    def __init__(self, n_embd: int, tokens: Optional[Tokens], embeddings: Optional[npt.NDArray[np.float32]],
                 positions: Optional[Sequence[int]], sequences: Union[int, Sequence[int], None],
                 logits: Optional[Flags], keep_embedding: Flags) -> None:
        if (tokens is None) == (embeddings is None):
            raise InvalidArgumentError("decode() takes either tokens or embeddings")
        self.arrays: List[npt.NDArray[Any]] = []
        self.struct = _abi.mla_batch(struct_size=sizeof(_abi.mla_batch))
        if tokens is not None:
            rows = self._set("tokens", token_array(tokens), None)
        else:
            rows = self._set("embeddings", np.ascontiguousarray(embeddings, np.float32), None, n_embd)
        self.struct.n = rows
        if positions is not None:
            self._set("positions", token_array(positions), rows)
        if sequences is not None:
            given = token_array([sequences] * rows if isinstance(sequences, int) else sequences)
            self._set("sequences", given, rows)
        self.n_logits = 1 if logits is None else self._flag("logits", logits, rows)
        self.n_embeddings = self._flag("keep_embedding", keep_embedding, rows) if keep_embedding is not False else 0

    def _flag(self, name: str, given: Flags, rows: int) -> int:
        flags = np.full(rows, given) if isinstance(given, bool) else np.asarray(given, bool)
        self._set(name, flags.astype(np.uint8), rows)
        return int(flags.sum())

    def _set(self, name: str, array: npt.NDArray[Any], rows: Optional[int], width: int = 0) -> int:
        shape = (len(array) if rows is None and array.ndim else rows or 0,) + ((width,) if width else ())
        if array.shape != shape:
            raise InvalidArgumentError(f"{name} have shape {list(array.shape)}: use {list(shape)}")
        self.arrays.append(array)
        setattr(self.struct, name, array.ctypes.data)
        return shape[0]
