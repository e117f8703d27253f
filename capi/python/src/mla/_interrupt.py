"""Ctrl-C while the library computes.

Python runs signal handlers on the main thread, between two steps of its own: not while that thread is inside a C function.
So a long computation that the main thread asks for runs on a thread beside it, for which the main thread waits, and an
exception of a handler (KeyboardInterrupt) aborts it.
"""

import _thread
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


def run_interruptibly(compute: Callable[[], int], abort: Callable[[], object]) -> None:
    """compute() on another thread; `abort` makes it return early. For the main thread."""
    job = _Job(compute)
    try:
        _thread.start_new_thread(job.work, ())
        job.done.acquire()
    except BaseException:
        job.stop(abort)
        raise


class _Job:
    """Work that ends before an exception leaves, whenever that comes: between any two steps below. So there are only plain locks,
    whose calls an exception can't leave half done; what threading makes of them can hang then."""

    def __init__(self, compute: Callable[[], int]) -> None:
        self._compute = compute
        self._claim = threading.Lock()  # of the thread that computes, or of stop() before there is one
        self._finished = False
        self.done = threading.Lock()
        self.done.acquire()

    def work(self) -> None:
        try:
            if self._claim.acquire(blocking=False):
                self._compute()
        finally:
            self._finished = True
            self.done.release()

    def stop(self, abort: Callable[[], object]) -> None:
        """Returns when the memory that compute() uses may go. Asks again and again: it may not have begun."""
        while True:
            try:
                if self._finished or self._claim.acquire(blocking=False):
                    return
                abort()
                self.done.acquire(timeout=_ABORT_SECONDS)
            except BaseException:  # a second Ctrl-C wants what is being done
                pass
