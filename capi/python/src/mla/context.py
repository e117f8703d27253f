"""Runs batches of tokens through a model."""

import ctypes
import threading
import weakref
from ctypes import byref, c_void_p, sizeof
from typing import TYPE_CHECKING, Any, List, Mapping, Optional, Sequence, Union

import numpy as np
import numpy.typing as npt

from . import _abi, _interrupt
from ._library import Handle, Owner, check, failure, lib, new
from .errors import Error, InvalidArgumentError
from .kv_cache import KvCache
from .sampler import Logits
from .tokenizer import Tokens, token_array
from .types import AttentionMode, CacheType, parse
from .writer import Writer

if TYPE_CHECKING:
    from .model import Model


class Context(Owner, Writer):
    """Activations, logits, threads and a KvCache for one stream of computation. One thread at a time; abort() from any.

    Options are those of <mla/context.hpp>. `cache` is one to use instead of an own one of n_ctx rows.
    """

    def __init__(self, model: "Model", *, attention: Union[AttentionMode, str] = "auto", n_ctx: int = 4096, n_ubatch: int = 512,
                 cache_type_k: Union[CacheType, str] = "f16", cache_type_v: Union[CacheType, str] = "f16",
                 cache: Optional[KvCache] = None, n_threads: int = 0, n_threads_batch: int = 0,
                 pin_threads: bool = False) -> None:
        options = _abi.mla_context_options(
            struct_size=sizeof(_abi.mla_context_options), attention=parse(AttentionMode, attention, "attention"), n_ctx=n_ctx,
            n_ubatch=n_ubatch, cache_type_k=parse(CacheType, cache_type_k, "cache_type_k"),
            cache_type_v=parse(CacheType, cache_type_v, "cache_type_v"), cache=cache.handle.pointer if cache else None,
            n_threads=n_threads, n_threads_batch=n_threads_batch, pin_threads=pin_threads)
        self.model = model
        keep = (model.handle, cache.handle if cache else None)
        self._handle = Handle(new(lib.mla_context_new, model.handle.pointer, byref(options)), lib.mla_context_free, keep)
        self.kv = cache or KvCache.of_context(self._handle)  #: its KvCache
        self._owns_kv = cache is None
        self._busy = threading.Lock()
        self._out = c_void_p()
        self._views: "weakref.WeakSet[_View]" = weakref.WeakSet()
        self._n_rows = 0
        self._one = (ctypes.c_int32 * 1)()
        self._next = _abi.mla_batch(struct_size=sizeof(_abi.mla_batch), n=1, tokens=ctypes.addressof(self._one))
        _interrupt.own_signal_stack()

    def close(self) -> None:
        super().close()
        if self._owns_kv:
            self.kv.close()

    def decode(self, tokens: Optional[Tokens] = None, *, embeddings: Optional[npt.NDArray[np.float32]] = None,
               positions: Optional[Sequence[int]] = None, sequences: Union[int, Sequence[int], None] = None,
               logits: Union[bool, Sequence[bool], None] = None) -> None:
        """Adds a batch to the cache and computes the logits it asks for.

        tokens [n], or embeddings [n, n_embd] in their place. positions [n]: left out, each row follows the last one of its
        sequence. sequences: one for all rows, or [n]; 0 when left out. logits: True for all rows, False for none, or [n];
        left out, for the last row. If it fails, or is interrupted with Ctrl-C, the cache is as it was and there are no logits.
        """
        batch = _Batch(self.model.info.n_embd, tokens, embeddings, positions, sequences, logits)
        self._run(batch.struct, batch.n_logits)

    def decode_next(self, token: int) -> None:
        """decode([token]) without the ado: the token follows what sequence 0 of the cache has."""
        self._one[0] = token
        self._run(self._next, 1)

    def _run(self, batch: _abi.mla_batch, n_logits: int) -> None:
        handle = self.handle
        # Logits live in memory that only a decode() replaces which wants more rows of them than any before.
        if n_logits > self._n_rows and self._views:
            raise InvalidArgumentError(
                f"this batch wants {n_logits} rows of logits, more than any before it, and NumPy arrays from logits() are "
                "still in use: copy what you need of them and delete them first")
        if not self._busy.acquire(blocking=False):
            raise InvalidArgumentError("this Context is computing on another thread: use one for each")
        try:
            if _interrupt.on_main_thread() and (batch.n > 1 or not _interrupt.DIRECT_IS_SAFE):
                error = self._run_beside(handle, batch)
            else:
                status = lib.mla_context_decode(handle.pointer, byref(batch))
                error = failure(status) if status else None
        finally:
            self._busy.release()
        if error is not None:
            raise error
        if n_logits > self._n_rows:
            self._n_rows = n_logits

    @staticmethod
    def _run_beside(handle: Handle, batch: _abi.mla_batch) -> Optional[Error]:
        errors: List[Error] = []

        def compute() -> int:
            status = lib.mla_context_decode(handle.pointer, byref(batch))
            if status:
                errors.append(failure(status))  # the message is this thread's
            return status

        _interrupt.run_interruptibly(compute, lambda: lib.mla_context_abort(handle.pointer))
        return errors[0] if errors else None

    def logits(self, row: Optional[int] = None) -> Logits:
        """Logits [n_vocab] of a row of the last batch, or of its last row that asked for them.

        No copy: the array shows the context's memory (and keeps it alive), so the next decode() writes over it.
        """
        pointer = self.handle.pointer
        if row is None:
            check(lib.mla_context_logits(byref(self._out), pointer))
        else:
            check(lib.mla_context_logits_of_row(byref(self._out), pointer, row))
        memory = (ctypes.c_float * self.model.info.n_vocab).from_address(self._out.value or 0)
        memory.owner = view = _View(self.handle)  # type: ignore[attr-defined]
        self._views.add(view)
        array: Logits = np.frombuffer(memoryview(memory), np.float32)
        array.flags.writeable = False
        return array

    def logits_address(self) -> int:
        """Where the logits of the last row that asked for them are, until the next decode(): for Sampler.sample_at()."""
        check(lib.mla_context_logits(byref(self._out), self.handle.pointer))
        return self._out.value or 0

    def _open(self) -> "tuple[Context, None]":
        return self, None

    def abort(self) -> None:
        """Makes a running decode() raise AbortedError within 200 ms; from any thread. Without effect on later calls."""
        check(lib.mla_context_abort(self.handle.pointer))

    @property
    def n_threads(self) -> int:
        """Threads that compute one token at a time."""
        return lib.mla_context_n_threads(self.handle.pointer)

    @property
    def n_threads_batch(self) -> int:
        """Threads that compute several tokens at a time."""
        return lib.mla_context_n_threads_batch(self.handle.pointer)


class _View:
    """An array of logits in use."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle


class _Batch:
    """A mla_batch and the arrays it points to."""

    def __init__(self, n_embd: int, tokens: Optional[Tokens], embeddings: Optional[npt.NDArray[np.float32]],
                 positions: Optional[Sequence[int]], sequences: Union[int, Sequence[int], None],
                 logits: Union[bool, Sequence[bool], None]) -> None:
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
        self.n_logits = 1
        if logits is not None:
            flags = np.full(rows, logits) if isinstance(logits, bool) else np.asarray(logits, bool)
            self._set("logits", flags.astype(np.uint8), rows)
            self.n_logits = int(flags.sum())

    def _set(self, name: str, array: npt.NDArray[Any], rows: Optional[int], width: int = 0) -> int:
        shape = (len(array) if rows is None and array.ndim else rows or 0,) + ((width,) if width else ())
        if array.shape != shape:
            raise InvalidArgumentError(f"{name} have shape {list(array.shape)}: use {list(shape)}")
        self.arrays.append(array)
        setattr(self.struct, name, array.ctypes.data)
        return shape[0]
