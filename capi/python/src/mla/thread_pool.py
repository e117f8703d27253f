"""Threads for several contexts."""

from ctypes import POINTER, byref, cast, sizeof
from typing import Any, Union

from . import _abi
from ._library import Handle, Owner, lib, new
from .types import Numa, parse


def default_threads() -> int:
    """Threads that this one may keep busy with profit: one for each physical core that it may use."""
    return lib.mla_default_threads()


class ThreadPool(Owner):
    """A pool of the library's own threads, for contexts whose operations take turns on it: Context(model, thread_pool=pool).

    n_threads counts the calling thread; 0: default_threads(). The threads end with the last context that uses them.
    """

    def __init__(self, *, n_threads: int = 0, numa: Union[Numa, str] = "none", pin_threads: bool = False) -> None:
        options = _abi.mla_thread_pool_options(struct_size=sizeof(_abi.mla_thread_pool_options), n_threads=n_threads,
                                               numa=parse(Numa, numa, "numa"), pin_threads=pin_threads)
        self._handle = Handle(new(lib.mla_thread_pool_new, byref(options)), _free)

    @property
    def struct(self) -> Any:
        """For the package's own use."""
        return _struct(self.handle.pointer)

    @property
    def n_threads(self) -> int:
        return int(self.struct.contents.n_threads)


def _struct(pointer: int) -> Any:
    return cast(pointer, POINTER(_abi.mla_thread_pool))


def _free(pointer: int) -> None:
    lib.mla_thread_pool_free(_struct(pointer))
