"""Ctrl-C while the library computes.

Python runs signal handlers on the main thread, between two steps of its own: not while that thread is inside a C function.
So a long computation that the main thread asks for runs on a thread beside it, for which the main thread waits, and an
exception of a handler (KeyboardInterrupt) aborts it.
"""

import ctypes
import sys
import threading
from typing import Callable, List

_STACK_BYTES = 1 << 18
_SS_DISABLE = 2
_ABORT_SECONDS = 0.02

# Only Python 3.10 and newer run their C handler on the alternate stack that own_signal_stack() sets up.
DIRECT_IS_SAFE = sys.version_info >= (3, 10)


class _Stack(ctypes.Structure):
    _fields_ = [("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


_signal_stacks: List[ctypes.Array[ctypes.c_char]] = []  # never freed: the kernel writes there


def own_signal_stack() -> None:
    """Gives the main thread a stack for signal handlers, unless it has one (faulthandler).

    oneDNN 2.6 keeps values where the frame of a handler on the ordinary stack would fall (docs/threads.md).
    """
    if _signal_stacks or threading.current_thread() is not threading.main_thread():
        return
    memory = ctypes.create_string_buffer(_STACK_BYTES)
    _signal_stacks.append(memory)
    libc, old = ctypes.CDLL(None), _Stack()
    if libc.sigaltstack(None, ctypes.byref(old)) == 0 and old.flags & _SS_DISABLE:
        libc.sigaltstack(ctypes.byref(_Stack(ctypes.addressof(memory), 0, _STACK_BYTES)), None)


def on_main_thread() -> bool:
    return threading.get_ident() == threading.main_thread().ident


def run_interruptibly(compute: Callable[[], int], abort: Callable[[], object]) -> int:
    """compute() on another thread; `abort` makes it return early. For the main thread."""
    result: List[int] = []
    done = threading.Semaphore(0)

    def work() -> None:
        try:
            result.append(compute())
        finally:
            done.release()

    threading.Thread(target=work, name="mla", daemon=True).start()
    try:
        done.acquire()
    except BaseException:
        _stop(done, abort)
        raise
    return result[0]


def _stop(done: threading.Semaphore, abort: Callable[[], object]) -> None:
    """Waits for the end, since memory that the library uses must stay; asks again in case it had not begun."""
    while True:
        try:
            abort()
            if done.acquire(timeout=_ABORT_SECONDS):
                return
        except BaseException:  # a second Ctrl-C wants what is being done
            pass
