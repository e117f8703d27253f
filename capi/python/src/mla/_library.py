"""Finds libmla, and what every call of it goes through."""

import os
import sys
from ctypes import byref, c_size_t, c_void_p, string_at
from pathlib import Path
from typing import Any, Callable, Optional, Tuple, TypeVar, Union

from . import _abi
from .errors import BY_STATUS, Error, InvalidArgumentError, InternalError

FILE = "libmla.so.0"


def _load() -> _abi.Library:
    """The library that the wheel carries; the environment variable MLA_LIBRARY names another.

    It gets a scope of its own, its names first (RTLD_DEEPBIND): another package's copy of oneDNN or OpenMP, such as
    torch's, is neither used by it nor replaced for that package.
    """
    path = os.environ.get("MLA_LIBRARY") or str(Path(__file__).with_name(FILE))
    try:
        return _abi.Library(path, os.RTLD_NOW | os.RTLD_LOCAL | os.RTLD_DEEPBIND)
    except OSError as error:
        raise ImportError(f"package mla can't load its library: {error}; reinstall it, or set MLA_LIBRARY to a {FILE}") from None
    except AttributeError as error:
        raise ImportError(f"{path} is older than package mla: {error}") from None


lib = _load()
version = (lib.mla_version() or b"").decode()


def isa_name() -> str:
    """The instruction set that the kernels use: "scalar", "avx2", "avx512"; MLA_ISA in the environment picks a lesser one."""
    name = lib.mla_isa_name()
    if name is None:
        raise failure(_abi.MLA_INVALID_ARGUMENT)
    return name.decode()



def failure(status: int) -> Error:
    """The exception for the call of this thread that has just returned `status`."""
    return BY_STATUS.get(status, InternalError)((lib.mla_last_error() or b"").decode(errors="replace"))


def check(status: int) -> None:
    if status:
        raise failure(status)


def not_ours(pointer: int) -> None:
    """The `free` of a borrowed object."""


class Handle:
    """A C object, freed when the last Python object that uses it lets go.

    `keep` is what must outlive the C object: callbacks, and handles of objects that were made with some.
    """

    __slots__ = ("pointer", "keep", "_free", "__weakref__")

    def __init__(self, pointer: int, free: Callable[[int], None], keep: Tuple[Any, ...] = ()) -> None:
        self.pointer = pointer
        self.keep = keep
        self._free = free

    def __del__(self) -> None:
        # In the C object's last moments another thread can't use it, but the interpreter may be half gone.
        if self.pointer and not sys.is_finalizing():
            self._free(self.pointer)


O = TypeVar("O", bound="Owner")


class Owner:
    """An object with a handle: close(), `with`, and a clear error afterwards."""

    _handle: Optional[Handle] = None

    @property
    def handle(self) -> Handle:
        """For the package's own use."""
        if self._handle is None:
            raise InvalidArgumentError(f"this {type(self).__name__} was closed")
        return self._handle

    @property
    def closed(self) -> bool:
        return self._handle is None

    def close(self) -> None:
        """Lets the C object go; a second call does nothing. Memory that arrays and other objects still use stays until they go."""
        self._handle = None

    def __enter__(self: O) -> O:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def new(function: Callable[..., int], *arguments: Any) -> int:
    """The object that a mla_*_new() function makes."""
    out = c_void_p()
    check(function(byref(out), *arguments))
    return out.value or 0


def taken_bytes(out: c_void_p, n: int) -> bytes:
    """A copy of memory that the library handed over; frees it."""
    data = string_at(out.value or 0, n) if n else b""
    lib.mla_free(out)
    return data


def call_for_bytes(function: Callable[..., int], *arguments: Any) -> bytes:
    """The bytes that a function of (out, n_bytes, …) hands over."""
    out, n = c_void_p(), c_size_t()
    check(function(byref(out), byref(n), *arguments))
    return taken_bytes(out, n.value)


def path_bytes(path: Union[str, "os.PathLike[str]"]) -> bytes:
    return os.fsencode(path)
