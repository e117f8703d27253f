"""Weights, sizes and vocabulary of one model file. Immutable."""

import logging
import mmap
import os
import threading
from ctypes import byref, c_void_p, sizeof
from typing import Any, Callable, List, Mapping, NamedTuple, Optional, Tuple, Union

import numpy as np
import numpy.typing as npt

from . import _abi, _interrupt
from ._library import Handle, Owner, check, failure, lib, not_ours, path_bytes
from .chat import ChatTemplate
from .context import Context
from .errors import Error, InvalidArgumentError
from .kv_cache import Path
from .tokenizer import Tokenizer
from .types import Numa, RepackMode, parse
from .writer import Writer

Buffer = Union[bytes, bytearray, memoryview, mmap.mmap, npt.NDArray[np.uint8]]
Progress = Callable[[str, int, int], Optional[bool]]  #: phase, done, total; False stops the load
Log = Callable[[int, str], None]  #: a level of the logging module, a line

_LEVELS = {_abi.MLA_LOG_DEBUG: logging.DEBUG, _abi.MLA_LOG_INFO: logging.INFO, _abi.MLA_LOG_WARNING: logging.WARNING,
           _abi.MLA_LOG_ERROR: logging.ERROR}
_NO_RELEASE = _abi.mla_release_fn()  # contexts, too, keep the handle that keeps the memory
_logger = logging.getLogger("mla")
_logger.addHandler(logging.NullHandler())


class ModelInfo(NamedTuple):
    """The facts of a model, as in <mla/model.hpp>."""

    name: str
    architecture: str
    n_vocab: int
    n_embd: int
    n_layers: int
    n_ctx_train: int  #: context length that the file states
    n_experts: int  #: routed experts of a layer; 0 for a dense model
    n_experts_used: int
    n_parameters: int
    weight_bytes: int  #: size of all tensors
    derived_bytes: int  #: memory taken beside the file, for k_b that it lacks
    panel_bytes: int  #: weights that the kernels read in their own layout
    repacked_bytes: int  #: memory taken beside the file for repacked weights


class Model(Owner, Writer):
    """A model; any number of threads and contexts may use it. Model.load() makes one.

    generate() and chat() use contexts of the model's own, as long as the model's training context; for other sizes, cache types
    or attention modes, make a Context.
    """

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        raw = _abi.mla_model_info(struct_size=sizeof(_abi.mla_model_info))
        check(lib.mla_model_get_info(byref(raw), handle.pointer))
        values: Any = (getattr(raw, name) for name in ModelInfo._fields)
        self.info = ModelInfo._make(value.decode(errors="replace") if isinstance(value, bytes) else value for value in values)
        tokenizer = c_void_p()
        status = lib.mla_model_tokenizer(byref(tokenizer), handle.pointer)
        self._tokenizer = failure(status) if status else Tokenizer(Handle(tokenizer.value or 0, not_ours, (handle,)))
        self._template_source = (lib.mla_model_chat_template(handle.pointer) or b"").decode()
        self._chat_template: Optional[ChatTemplate] = None
        self._idle: List[Context] = []
        self._lock = threading.Lock()

    @classmethod
    def load(cls, source: Union[Path, Buffer], *, use_mmap: bool = True, progress: Optional[Progress] = None, log: Optional[Log] = None,
             repack: Union[RepackMode, str] = "auto", huge_pages: bool = True, n_threads: int = 0, numa: Union[Numa, str] = "none",
             load_type: str = "", overrides: Optional[Mapping[str, str]] = None) -> "Model":
        """Opens a GGUF file (of a split model any part may be named) or a Hugging Face folder; or what a GGUF file holds: bytes, a
        mmap, an array of bytes. Memory is used where it is, and must not change, if its address is a multiple of 32; else it is copied.

        Options are those of <mla/model.hpp>. `progress` and `log` may be called on any thread; log lines go to
        logging.getLogger("mla") by default. Ctrl-C stops the load.
        """
        load = _Load(progress, log)
        entries = (_abi.mla_override * len(overrides or {}))(
            *(_abi.mla_override(key=key.encode(), value=value.encode()) for key, value in (overrides or {}).items()))
        options = _abi.mla_model_options(
            struct_size=sizeof(_abi.mla_model_options), no_mmap=not use_mmap, progress=load.progress, log=load.log,
            overrides=entries, n_overrides=len(entries), repack=parse(RepackMode, repack, "repack"), no_huge_pages=not huge_pages,
            n_threads=n_threads, numa=parse(Numa, numa, "numa"), load_type=load_type.encode() or None)
        if isinstance(source, (str, os.PathLike)):
            path = path_bytes(source)
            return cls(Handle(load.run(lambda out: lib.mla_model_load(out, path, byref(options))), lib.mla_model_free, (load.log,)))
        memory = np.frombuffer(source, np.uint8)
        pointer = load.run(lambda out: lib.mla_model_load_memory(out, memory.ctypes.data, memory.size, _NO_RELEASE, None, byref(options)))
        return cls(Handle(pointer, lib.mla_model_free, (load.log, memory)))

    @property
    def tokenizer(self) -> Tokenizer:
        """Raises UnsupportedError if the file has none that libmla knows; such a model still runs on token ids."""
        if isinstance(self._tokenizer, Error):
            raise self._tokenizer
        return self._tokenizer

    @property
    def chat_template(self) -> Optional[ChatTemplate]:
        """The file's chat template; None if it has none. Raises UnsupportedError for one that libmla can't run."""
        if self._chat_template is None and self._template_source:
            self._chat_template = ChatTemplate(self._template_source)
        return self._chat_template

    def cache_shape(self) -> _abi.mla_cache_shape:
        """The sizes that a cache row depends on."""
        shape = _abi.mla_cache_shape(struct_size=sizeof(_abi.mla_cache_shape))
        check(lib.mla_model_cache_shape(byref(shape), self.handle.pointer))
        return shape

    def _open(self) -> Tuple[Context, Callable[[], None]]:
        if self.closed:
            raise InvalidArgumentError("this Model was closed")
        with self._lock:
            idle = self._idle.pop() if self._idle else None
        context = idle or Context(self, n_ctx=self.info.n_ctx_train)
        context.model = self

        def give_back() -> None:
            with self._lock:
                if not self._idle and not self.closed:
                    del context.model  # a ring would keep both until the garbage collector comes by
                    self._idle.append(context)

        return context, give_back

    def close(self) -> None:
        """Lets the model go; contexts that use it keep it alive. A second call does nothing."""
        with self._lock:
            super().close()
            self._idle.clear()

    def __repr__(self) -> str:
        return f"<mla.Model {self.info.name or self.info.architecture!r}, {self.info.n_parameters} parameters>"


class _Load:
    """The callbacks of a load, and Ctrl-C during it."""

    def __init__(self, progress: Optional[Progress], log: Optional[Log]) -> None:
        self._stop = False
        self._raised: List[BaseException] = []
        self._error: Optional[Error] = None
        self._report = progress
        sink = log or _logger.log
        self.progress = _abi.mla_progress_fn(self._progress)
        self.log = _abi.mla_log_fn(
            lambda user_data, level, message: sink(_LEVELS.get(level, logging.ERROR), "%s" % message.decode(errors="replace")))

    def _progress(self, user_data: Any, phase: bytes, done: int, total: int) -> int:
        try:
            go_on = self._report is None or self._report(phase.decode(), done, total) is not False
        except BaseException as error:
            self._raised.append(error)
            return 1
        return 0 if go_on and not self._stop else 1

    def run(self, function: Callable[[Any], int]) -> int:
        """The object that `function` makes; what the progress callback raised, if it did."""
        out = c_void_p()

        def compute() -> int:
            status = function(byref(out))
            self._error = failure(status) if status else None
            return status

        if _interrupt.on_main_thread():
            _interrupt.run_interruptibly(compute, self._abort)
        else:
            compute()
        if self._raised:
            raise self._raised[0]
        if self._error is not None:
            raise self._error
        return out.value or 0

    def _abort(self) -> None:
        self._stop = True
