"""How many BLAS threads a product is worth.

Threads of OpenBLAS spin for a while after each product and wait for each other in the next one.
Small products gain little from them alone, and beside another busy process a fit of small layers
took twenty times as long with two threads as with one.

The rule: work whose products are small runs on one thread. The number of threads belongs to the
whole process, so the first to ask for one sets it and the last gives it back.
"""

import threading
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

SMALL = 3_500_000  # multiplications of a product; two threads gain 7 % there, 20 % at 4 million

_lock = threading.Lock()
_limits = []  # those in force, with the number of blocks that run under them


@cache
def _controller():
    """Return what sees the BLAS libraries, which takes milliseconds to find them."""
    return ThreadpoolController()


@contextmanager
def threads_for(n_multiplications):
    """Let products of so many multiplications at most run on as many threads as pay."""
    if n_multiplications > SMALL:
        yield
        return
    counted = False
    try:
        with _lock:
            if not _limits:
                _limits.append([_controller().limit(limits=1, user_api="blas"), 0])
            _limits[0][1] += 1
            counted = True
        yield
    finally:
        with _lock:
            _limits[0][1] -= counted
            if not _limits[0][1]:
                _limits.pop()[0].restore_original_limits()
