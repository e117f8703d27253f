"""The keys and values of the sequences that a context works on."""

import os
from ctypes import byref, c_int32, c_size_t, c_uint64, c_void_p, sizeof
from typing import TYPE_CHECKING, NamedTuple, Optional, Union, overload

from . import _abi
from ._library import Handle, Owner, check, lib, new, not_ours, path_bytes, taken_bytes
from .tokenizer import Tokens, token_array
from .types import CacheLayout, CacheType, parse

if TYPE_CHECKING:
    from .model import Model

Path = Union[str, "os.PathLike[str]"]
State = Union[bytes, bytearray, memoryview]
Bytes = bytes  # KvCache.bytes hides the name in the class
ALL_SEQUENCES = _abi.MLA_ALL_SEQUENCES  #: in the place of a sequence id


def _options(layout: Union[CacheLayout, str], n_ctx: int, type_k: Union[CacheType, str],
             type_v: Union[CacheType, str]) -> _abi.mla_kv_cache_options:
    return _abi.mla_kv_cache_options(
        struct_size=sizeof(_abi.mla_kv_cache_options), layout=parse(CacheLayout, layout, "layout"), n_ctx=n_ctx,
        type_k=parse(CacheType, type_k, "type_k"), type_v=parse(CacheType, type_v, "type_v"))


class KvCacheOptions(NamedTuple):
    layout: CacheLayout
    n_ctx: int
    type_k: CacheType
    type_v: CacheType


class KvCache(Owner):
    """Pages of 64 token rows; copies of a sequence share pages until one of them writes. Used by one context at a time.

    A context makes its own, Context.kv; make one yourself to hand it to contexts in turn: Context(model, cache=cache).
    """

    def __init__(self, model: "Model", *, layout: Union[CacheLayout, str] = "latent", n_ctx: int = 4096,
                 type_k: Union[CacheType, str] = "q16_row", type_v: Union[CacheType, str] = "q16_row") -> None:
        shape, options = model.cache_shape(), _options(layout, n_ctx, type_k, type_v)
        self._handle = Handle(new(lib.mla_kv_cache_new, byref(shape), byref(options)), lib.mla_kv_cache_free)
        check(lib.mla_kv_cache_bind(self.handle.pointer, model.handle.pointer))

    @classmethod
    def of_context(cls, context: Handle) -> "KvCache":
        """A context's own cache, which lives as long as the context."""
        cache = cls.__new__(cls)
        cache._handle = Handle(lib.mla_context_cache(context.pointer), not_ours, (context,))
        return cache

    @staticmethod
    def bytes_at_capacity(model: "Model", *, layout: Union[CacheLayout, str] = "latent", n_ctx: int = 4096,
                          type_k: Union[CacheType, str] = "q16_row", type_v: Union[CacheType, str] = "q16_row") -> int:
        """Bytes that such a cache takes when its n_ctx rows are all in use; allocates nothing."""
        out, shape, options = c_uint64(), model.cache_shape(), _options(layout, n_ctx, type_k, type_v)
        check(lib.mla_kv_cache_bytes_at_capacity(byref(out), byref(shape), byref(options)))
        return out.value

    def seq_rm(self, seq: int, p0: int = 0, p1: int = -1) -> bool:
        """Removes the positions p0 <= p < p1 of a sequence; p1 < 0: to its end. True if it had any."""
        removed = c_int32()
        check(lib.mla_kv_cache_seq_rm(byref(removed), self.handle.pointer, seq, p0, p1))
        return removed.value != 0

    def seq_cp(self, from_: int, to: int, p0: int = 0, p1: int = -1) -> None:
        """Replaces sequence `to` by a copy of positions p0 <= p < p1 of `from_`, sharing memory."""
        check(lib.mla_kv_cache_seq_cp(self.handle.pointer, from_, to, p0, p1))

    def seq_keep(self, seq: int) -> None:
        """Removes every sequence but this one."""
        check(lib.mla_kv_cache_seq_keep(self.handle.pointer, seq))

    def seq_add(self, seq: int, p0: int, p1: int, delta: int) -> None:
        """Context shift: moves the positions p0 <= p < p1 of a sequence (p1 < 0: to its end) by delta, keys included."""
        check(lib.mla_kv_cache_seq_add(self.handle.pointer, seq, p0, p1, delta))

    def clear(self) -> None:
        """Removes every sequence."""
        check(lib.mla_kv_cache_clear(self.handle.pointer))

    def defrag(self) -> None:
        """Packs rows into as few pages as possible and gives all others back."""
        check(lib.mla_kv_cache_defrag(self.handle.pointer))

    def reuse_prefix(self, to: int, tokens: Tokens) -> int:
        """Makes sequence `to` the longest beginning of `tokens` that the cache holds in any sequence; how many that is."""
        ids, n = token_array(tokens), c_int32()
        check(lib.mla_kv_cache_reuse_prefix(byref(n), self.handle.pointer, to, ids.ctypes.data, ids.size))
        return n.value

    @overload
    def save(self, path: None = None, *, seq: int = ALL_SEQUENCES) -> Bytes: ...
    @overload
    def save(self, path: Path, *, seq: int = ALL_SEQUENCES) -> None: ...
    def save(self, path: Optional[Path] = None, *, seq: int = ALL_SEQUENCES) -> Optional[Bytes]:
        """Writes a sequence, or all, to a file that any machine can load; without a path it returns the state as bytes."""
        if path is not None:
            check(lib.mla_kv_cache_save(self.handle.pointer, path_bytes(path), seq))
            return None
        out, n = c_void_p(), c_size_t()
        check(lib.mla_kv_cache_save_memory(byref(out), byref(n), self.handle.pointer, seq))
        return taken_bytes(out, n.value)

    def load(self, source: Union[Path, State], *, seq: int = ALL_SEQUENCES) -> None:
        """Replaces a sequence, or all, by what save() wrote: a path, or its bytes. If it fails, the cache is as it was."""
        if isinstance(source, (Bytes, bytearray, memoryview)):
            data = Bytes(source)
            check(lib.mla_kv_cache_load_memory(self.handle.pointer, data, len(data), seq))
        else:
            check(lib.mla_kv_cache_load(self.handle.pointer, path_bytes(source), seq))

    def seq_len(self, seq: int = 0) -> int:
        """Rows of the sequence."""
        return lib.mla_kv_cache_seq_len(self.handle.pointer, seq)

    def seq_pos_min(self, seq: int = 0) -> int:
        """Smallest position of the sequence; -1 if it is empty."""
        return lib.mla_kv_cache_seq_pos_min(self.handle.pointer, seq)

    def seq_pos_max(self, seq: int = 0) -> int:
        """Largest position of the sequence; -1 if it is empty."""
        return lib.mla_kv_cache_seq_pos_max(self.handle.pointer, seq)

    @property
    def options(self) -> KvCacheOptions:
        """What it was made with."""
        raw = _abi.mla_kv_cache_options(struct_size=sizeof(_abi.mla_kv_cache_options))
        check(lib.mla_kv_cache_get_options(byref(raw), self.handle.pointer))
        return KvCacheOptions(CacheLayout(raw.layout), raw.n_ctx, CacheType(raw.type_k), CacheType(raw.type_v))

    @property
    def bytes(self) -> int:
        """Bytes of the pages that sequences refer to now; shared pages count once."""
        return lib.mla_kv_cache_bytes(self.handle.pointer)

    @property
    def row_bytes(self) -> int:
        """Bytes that a token takes, all layers together."""
        return lib.mla_kv_cache_row_bytes(self.handle.pointer)

    @property
    def n_pages(self) -> int:
        """Pages of 64 rows that there can be."""
        return lib.mla_kv_cache_n_pages(self.handle.pointer)

    @property
    def n_pages_used(self) -> int:
        return lib.mla_kv_cache_n_pages_used(self.handle.pointer)
