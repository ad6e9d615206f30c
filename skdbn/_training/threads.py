"""How many BLAS threads a product deserves.

Threads of OpenBLAS spin for a while after each product and wait for each other in the next one.
Small products gain little from them, and next to another busy process a fit of small layers took up
to six times as long with two threads as with one.

The rule: work with small products runs on one thread. The number of threads belongs to the whole
process, so it is restored when no block asks for one thread any more.
"""

import threading
import weakref
from functools import cache

from threadpoolctl import ThreadpoolController

SMALL = 3_500_000  # multiplications in a product; two threads gain 7 % there, 20 % at 4 million

_lock = threading.Lock()
_asking = weakref.WeakSet()  # blocks that ask for one thread; interrupted ones vanish by themselves
_kept = {}  # number of threads of each library while one is set


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
            if self.n_multiplications <= SMALL:
                _asking.add(self)
            _adjust()

    def __exit__(self, *_):
        with _lock:
            _asking.discard(self)
            _adjust()


@cache
def _libraries():
    """Return the controllers of the BLAS libraries, which take milliseconds to find."""
    return ThreadpoolController().select(user_api="blas").lib_controllers


def _adjust():
    """Set one thread while a block asks for it, else restore the numbers from before."""
    if _asking and not _kept:
        _kept.update({library: library.num_threads for library in _libraries()})
        for library in _kept:
            library.set_num_threads(1)
    elif _kept and not _asking:
        for library, n_threads in _kept.items():
            library.set_num_threads(n_threads)
        _kept.clear()
