"""How many BLAS threads a product is worth.

Threads of OpenBLAS spin for a while after each product and wait for each other in the next one.
Small products gain little from them alone, and beside another busy process a fit of small layers
took up to six times as long with two threads as with one.

The rule: work whose products are small runs on one thread. The number of threads belongs to the
whole process, so it comes back when nobody is left who asked for one.
"""

import threading
import weakref
from functools import cache

from threadpoolctl import ThreadpoolController

SMALL = 3_500_000  # multiplications of a product; two threads gain 7 % there, 20 % at 4 million

_lock = threading.Lock()
_asking = weakref.WeakSet()  # blocks for one thread; one that was interrupted goes by itself
_kept = {}  # threads of each library while there is one


class threads_for:  # noqa: N801, a context as those of contextlib
    """Let products of so many multiplications at most run on as many threads as pay.

    Parameters
    ----------
    n_multiplications : int
        Those of the largest product.
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
    """Return what sets the threads of each BLAS library, which takes milliseconds to find."""
    return ThreadpoolController().select(user_api="blas").lib_controllers


def _adjust():
    """Set one thread while somebody asks for it, and else what was there before."""
    if _asking and not _kept:
        _kept.update({library: library.num_threads for library in _libraries()})
        for library in _kept:
            library.set_num_threads(1)
    elif _kept and not _asking:
        for library, n_threads in _kept.items():
            library.set_num_threads(n_threads)
        _kept.clear()
