"""How many BLAS threads a product deserves.

Threads of OpenBLAS spin for a while after each product and wait for each other in the next one.
Small products gain little from them, and next to another busy process a fit of small layers took up
to six times as long with two threads as with one.

The rule: work with small products runs on one thread. Most libraries have one number of threads for
the whole process, which is restored when no block of any thread asks for one thread any more. Where
each thread has a number of its own, it is restored when no block of that thread does.
"""

import os
import threading
import weakref
from functools import cache

from threadpoolctl import ThreadpoolController

SMALL = 3_500_000  # multiplications in a product; two threads gain 7 % there, 20 % at 4 million


class _Limit:
    """One BLAS thread while a block asks for it."""

    def __init__(self):
        self.asking = weakref.WeakSet()  # blocks; interrupted ones vanish by themselves
        self.kept = {}  # number of threads of each library while one is set

    def adjust(self, libraries):
        """Set one thread if a block asks for it, else restore the numbers from before."""
        if self.asking and not self.kept:
            self.kept = {library: library.num_threads for library in libraries}
            for library in self.kept:
                _set_threads(library, 1)
        elif self.kept and not self.asking:
            self.restore()

    def restore(self):
        """Restore the numbers from before."""
        for library, n_threads in self.kept.items():
            _set_threads(library, n_threads)
        self.kept = {}


class _OfThread(threading.local):
    """The limit of each thread."""

    def __init__(self):
        self.limit = _Limit()


_lock = threading.RLock()  # the garbage collector may end a block while another one begins
_of_process, _of_thread = _Limit(), _OfThread()


class threads_for:  # noqa: N801, a context like those of contextlib
    """Context that runs products on as many threads as pay off.

    Parameters
    ----------
    n_multiplications : int
        Number of multiplications in the largest product.
    """

    def __init__(self, n_multiplications):
        self.n_multiplications = n_multiplications

    def __enter__(self):
        with _lock:
            for limit, libraries in _limits():
                if self.n_multiplications <= SMALL:
                    limit.asking.add(self)
                limit.adjust(libraries)

    def __exit__(self, *_):
        with _lock:
            for limit, libraries in _limits():
                limit.asking.discard(self)
                limit.adjust(libraries)


def _limits():
    """Return the limit of the process and that of this thread, with the libraries of each."""
    return zip((_of_process, _of_thread.limit), _libraries(), strict=True)


@cache
def _libraries():
    """Return the BLAS libraries with a number for the process, and those with one for each thread.

    It takes milliseconds to find them.
    """
    found = ThreadpoolController().select(user_api="blas").lib_controllers
    own = [library for library in found if _has_own_number_in_each_thread(library)]
    return [library for library in found if library not in own], own


def _has_own_number_in_each_thread(library):
    """Tell whether a library has a number of its own in each thread, as threadpoolctl sets it."""
    if library.internal_api == "openblas":  # before threadpoolctl 3.8 it was that of the process
        is_openmp = library.threading_layer == "openmp"
        return is_openmp and hasattr(library, "clear_controlling_thread")
    return "MKL_Set_Num_Threads_Local" in getattr(library, "check_symbols", ())


def _set_threads(library, n_threads):
    """Set the number of threads of a library, whichever thread set it last.

    From 3.8 on, threadpoolctl ignores all threads but the one that was first.
    """
    release = getattr(library, "clear_controlling_thread", lambda force: None)
    release(force=True)
    library.set_num_threads(n_threads)
    release(force=True)


def _forget():
    """Start anew in a forked process, where no other thread will leave its block."""
    global _lock, _of_process
    _lock = threading.RLock()
    for limit in (_of_process, _of_thread.limit):
        limit.restore()
    _of_process, _of_thread.limit = _Limit(), _Limit()


def call_in_forked_processes(function):
    """Let a function be called at the start of every process that is forked from this one."""
    if hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(after_in_child=function)


call_in_forked_processes(_forget)
