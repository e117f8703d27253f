"""Runs batches of tokens through a model."""

import ctypes
import weakref
from ctypes import byref, c_size_t, c_void_p, pointer, sizeof
from typing import TYPE_CHECKING, Callable, List, NamedTuple, Optional, Sequence, Union

import numpy as np
import numpy.typing as npt

from . import _abi, _interrupt
from ._library import Handle, Owner, check, failure, lib, new, path_bytes, taken_bytes
from .batch import Batch, Flags
from .errors import InvalidArgumentError
from .kv_cache import KvCache, Path
from .sampler import Logits, Sampler
from .thread_pool import ThreadPool
from .tokenizer import Tokens
from .types import AttentionMode, CacheType, parse
from .writer import Writer

if TYPE_CHECKING:
    from .model import Model


def _options(attention: Union[AttentionMode, str], n_ctx: int, n_ubatch: int, cache_type_k: Union[CacheType, str],
             cache_type_v: Union[CacheType, str], n_threads: int, n_threads_batch: int) -> _abi.mla_context_options:
    return _abi.mla_context_options(
        struct_size=sizeof(_abi.mla_context_options), attention=parse(AttentionMode, attention, "attention"), n_ctx=n_ctx,
        n_ubatch=n_ubatch, cache_type_k=parse(CacheType, cache_type_k, "cache_type_k"),
        cache_type_v=parse(CacheType, cache_type_v, "cache_type_v"), n_threads=n_threads, n_threads_batch=n_threads_batch)


class OpTiming(NamedTuple):
    """Totals of one operation over all layers and calls of decode()."""

    name: str
    seconds: float
    calls: int
    bytes: int  #: of weights read, or of cache rows read or written
    operations: int  #: two for each multiply-add of a matrix product


class MemoryNeed(NamedTuple):
    """What running a model takes, in bytes."""

    weights: int  #: the tensors, mapped: pages that the system may drop and read again
    repacked: int  #: of them, those that are copied, if they fit; pages of the file are then let go
    derived: int  #: matrices that the file lacks
    cache: int  #: with all its rows in use
    context: int  #: activations, scratch of the threads, logits of one row
    room: int  #: what this process may take now; 2^64 - 1: nothing says
    limit: str  #: what sets that: "the machine", "the control group /a/b"


class AttentionRates(NamedTuple):
    """What mode auto chooses by: nanoseconds that attention takes for all heads of one layer, on the threads that read prompts."""

    expanded_start: float  #: whatever the number of tokens
    expanded_pair: float  #: a new token meets a key, expanded form
    expanded_key: float  #: key and value of every head are made from a latent row
    absorbed_start: float  #: whatever the number of tokens
    absorbed_pair: float  #: a new token meets a latent row, absorbed form
    absorbed_query: float  #: a new token's queries are taken into latent space, and what they find out of it


class Context(Owner, Writer):
    """Activations, logits, threads and a KvCache for one stream of computation. One thread at a time; abort() from any.

    Options are those of <mla/context.hpp>. `cache` is one to use instead of an own one of n_ctx rows.
    """

    def __init__(self, model: "Model", *, attention: Union[AttentionMode, str] = "auto", n_ctx: int = 4096, n_ubatch: int = 2048,
                 cache_type_k: Union[CacheType, str] = "q16_row", cache_type_v: Union[CacheType, str] = "q16_row",
                 cache: Optional[KvCache] = None, n_threads: int = 0, n_threads_batch: int = 0,
                 thread_pool: Optional[ThreadPool] = None, pin_threads: bool = False, deterministic: bool = False,
                 attention_rates: Optional[AttentionRates] = None) -> None:
        options = _options(attention, n_ctx, n_ubatch, cache_type_k, cache_type_v, n_threads, n_threads_batch)
        options.cache = cache.handle.pointer if cache else None
        options.thread_pool = thread_pool.struct if thread_pool else None
        options.pin_threads = pin_threads
        options.deterministic = deterministic
        rates = attention_rates and _abi.mla_attention_rates(sizeof(_abi.mla_attention_rates), *attention_rates)
        if rates:
            options.attention_rates = pointer(rates)
        self.model = model
        keep = (model.handle, cache.handle if cache else None, thread_pool.handle if thread_pool else None)
        self._handle = Handle(new(lib.mla_context_new, model.handle.pointer, byref(options)), lib.mla_context_free, keep)
        self.kv = cache or KvCache.of_context(self._handle)  #: its KvCache
        self._owns_kv = cache is None
        self._out = c_void_p()
        self._views: "weakref.WeakSet[_View]" = weakref.WeakSet()
        self._n_logits = self._n_embeddings = 0
        _interrupt.own_signal_stack()

    @staticmethod
    def memory_need(path: Path, *, attention: Union[AttentionMode, str] = "auto", n_ctx: int = 4096, n_ubatch: int = 2048,
                    cache_type_k: Union[CacheType, str] = "q16_row", cache_type_v: Union[CacheType, str] = "q16_row", n_threads: int = 0,
                    n_threads_batch: int = 0) -> MemoryNeed:
        """What such a context on the model of a GGUF file will take; reads its headers only, and allocates nothing."""
        raw = _abi.mla_memory_need(struct_size=sizeof(_abi.mla_memory_need))
        options = _options(attention, n_ctx, n_ubatch, cache_type_k, cache_type_v, n_threads, n_threads_batch)
        check(lib.mla_context_memory_need(byref(raw), path_bytes(path), byref(options)))
        return MemoryNeed(raw.weights, raw.repacked, raw.derived, raw.cache, raw.context, raw.room, (raw.limit or b"").decode())

    def close(self) -> None:
        super().close()
        if self._owns_kv:
            self.kv.close()

    def decode(self, tokens: Optional[Tokens] = None, *, embeddings: Optional[npt.NDArray[np.float32]] = None,
               positions: Optional[Sequence[int]] = None, sequences: Union[int, Sequence[int], None] = None,
               logits: Optional[Flags] = None, keep_embedding: Flags = False) -> None:
        """Adds a batch to the cache and computes the logits and embeddings it asks for.

        tokens [n], or embeddings [n, n_embd] in their place. positions [n]: left out, each row follows the last one of its
        sequence. sequences: one for all rows, or [n]; 0 when left out. logits: True for all rows, False for none, or [n];
        left out, for the last row. keep_embedding: likewise, for embedding(). If it fails, the cache is as it was and there are no
        logits. So it is after Ctrl-C; but a single row is computed to its end first, and then is in the cache.
        """
        batch = Batch(self.model.info.n_embd, tokens, embeddings, positions, sequences, logits, keep_embedding)
        self._run(batch.struct, batch.n_logits, batch.n_embeddings)

    def step(self, step: "_abi.Pointer", sampler: Sampler) -> None:
        """mla_context_step(), for a Generation."""
        handle = self.handle
        if _interrupt.DIRECT_IS_SAFE or not _interrupt.on_main_thread():
            status = lib.mla_context_step(step, handle.pointer)
            error = sampler.failure(status) if status else None
        else:
            error = self._run_beside(handle, lambda: lib.mla_context_step(step, handle.pointer), sampler.failure)
        if error is not None:
            raise error

    def _run(self, batch: _abi.mla_batch, n_logits: int, n_embeddings: int) -> None:
        handle = self.handle
        # They live in memory that only a decode() replaces which wants more rows of them than any before.
        grows = n_logits > self._n_logits or n_embeddings > self._n_embeddings
        if grows and self._views:
            raise InvalidArgumentError(
                f"this batch wants {n_logits} rows of logits and {n_embeddings} of embeddings, more than any before it, and NumPy arrays "
                "of this context's memory are still in use: copy what you need of them and delete them first")
        if _interrupt.on_main_thread() and (batch.n > 1 or not _interrupt.DIRECT_IS_SAFE):
            error = self._run_beside(handle, lambda: lib.mla_context_decode(handle.pointer, byref(batch)), failure)
        else:
            status = lib.mla_context_decode(handle.pointer, byref(batch))
            error = failure(status) if status else None
        if error is not None:
            raise error
        if grows:
            self._n_logits, self._n_embeddings = max(n_logits, self._n_logits), max(n_embeddings, self._n_embeddings)

    @staticmethod
    def _run_beside(handle: Handle, call: Callable[[], int], exception: Callable[[int], BaseException]) -> Optional[BaseException]:
        errors: List[BaseException] = []

        def compute() -> int:
            status = call()
            if status:
                errors.append(exception(status))  # the message is this thread's
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
        return self._array(self.model.info.n_vocab)

    def embedding(self, row: int) -> npt.NDArray[np.float32]:
        """The embedding [n_embd] of a row of the last batch: the normalised state behind the last layer. The row must have asked for
        it (keep_embedding). No copy, as with logits()."""
        check(lib.mla_context_embedding(byref(self._out), self.handle.pointer, row))
        return self._array(self.model.info.n_embd)

    def _array(self, n: int) -> npt.NDArray[np.float32]:
        """The floats that _out points to."""
        memory = (ctypes.c_float * n).from_address(self._out.value or 0)
        memory.owner = view = _View(self.handle)  # type: ignore[attr-defined]
        self._views.add(view)
        array: npt.NDArray[np.float32] = np.frombuffer(memoryview(memory), np.float32)
        array.flags.writeable = False
        return array

    def _open(self) -> "tuple[Context, None]":
        return self, None

    def abort(self) -> None:
        """Makes a running decode() raise AbortedError within 200 ms; from any thread. Without effect on later calls."""
        check(lib.mla_context_abort(self.handle.pointer))

    def time_ops(self, on: bool = True) -> None:
        """Keeps op_timings() from the next decode() on, which costs some clock reads per layer."""
        check(lib.mla_context_time_ops(self.handle.pointer, on))

    def op_timings(self) -> List[OpTiming]:
        """Where the time of decode() went since time_ops() or reset_op_timings(). What there is may change with any version."""
        out, n = c_void_p(), c_size_t()
        check(lib.mla_context_op_timings(byref(out), byref(n), self.handle.pointer))
        entries = (_abi.mla_op_timing * n.value).from_buffer_copy(taken_bytes(out, n.value * sizeof(_abi.mla_op_timing)))
        return [OpTiming((e.name or b"").decode(), e.seconds, e.calls, e.bytes, e.operations) for e in entries]

    def reset_op_timings(self) -> None:
        check(lib.mla_context_reset_op_timings(self.handle.pointer))

    @property
    def bytes(self) -> int:
        """Memory that the context holds now, not its cache's."""
        return lib.mla_context_bytes(self.handle.pointer)

    @property
    def attention_rates(self) -> Optional[AttentionRates]:
        """What mode auto chooses by: given, or measured; None as long as no batch of several tokens of one sequence has asked for a choice.
        Given to another context, they make its choices, and so every bit of its logits, the same in every process."""
        raw = _abi.mla_attention_rates(struct_size=sizeof(_abi.mla_attention_rates))
        check(lib.mla_context_attention_rates(byref(raw), self.handle.pointer))
        rates = AttentionRates(*(getattr(raw, name) for name in AttentionRates._fields))
        return rates if any(rates) else None

    @property
    def n_threads(self) -> int:
        """Threads that compute one token at a time."""
        return lib.mla_context_n_threads(self.handle.pointer)

    @property
    def n_threads_batch(self) -> int:
        """Threads that compute several tokens at a time."""
        return lib.mla_context_n_threads_batch(self.handle.pointer)


class _View:
    """An array of the context's memory in use."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
