"""One exception for each status of the C interface. Its text is the library's: one line that says what to do."""

from typing import Dict, Type

from . import _abi


class Error(Exception):
    """Any failure of libmla. `status` is the number of mla_status in <mla/mla.h>."""

    status: int = _abi.MLA_INTERNAL


class InvalidArgumentError(Error, ValueError):
    """Something that can't be: a wrong size, an option out of its range, an unknown sequence, an object that was closed."""

    status = _abi.MLA_INVALID_ARGUMENT


class NotFoundError(Error, FileNotFoundError):
    """A file that isn't there."""

    status = _abi.MLA_NOT_FOUND


class IoError(Error, OSError):
    """The operating system refused to read, write or map."""

    status = _abi.MLA_IO_ERROR


class BadFileError(Error, ValueError):
    """A file that is truncated, damaged or contradicts itself."""

    status = _abi.MLA_BAD_FILE


class UnsupportedError(Error):
    """A valid file or request that this version can't serve."""

    status = _abi.MLA_UNSUPPORTED


class OutOfMemoryError(Error, MemoryError):
    """An allocation failed; nothing was changed."""

    status = _abi.MLA_OUT_OF_MEMORY


class CacheFullError(Error):
    """The KV cache has no room for the batch; nothing was changed."""

    status = _abi.MLA_CACHE_FULL


class AbortedError(Error):
    """A callback, or Context.abort(), asked to stop; nothing was changed."""

    status = _abi.MLA_ABORTED


class InternalError(Error, RuntimeError):
    """A bug in libmla."""

    status = _abi.MLA_INTERNAL


BY_STATUS: Dict[int, Type[Error]] = {error.status: error for error in (
    InvalidArgumentError, NotFoundError, IoError, BadFileError, UnsupportedError, OutOfMemoryError, CacheFullError, AbortedError,
    InternalError)}
