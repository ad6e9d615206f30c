"""The programs that train the same net, how they are run, and what they print."""

import glob
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

HERE = Path(__file__).parent
COMMANDS = {
    "GNU R": ["Rscript", "--vanilla", HERE / "deep_net.R"],
    "GNU Octave": ["octave-cli", "--norc", "--no-history", HERE / "deep_net.m"],
    "plain NumPy": [sys.executable, HERE / "plain_numpy.py"],
    "skdbn": [sys.executable, HERE / "skdbn_net.py"],
}
# What Debian's packages libblas3 and libopenblas0-pthread bring; update-alternatives chooses the
# one that R and Octave load, unless the environment names a folder to look in first.
BLAS = {
    "reference BLAS": "/usr/lib/*/blas/libblas.so.3",
    "OpenBLAS": "/usr/lib/*/openblas-pthread/libblas.so.3",
}
LINKED_BY_DEBIAN = ("GNU R", "GNU Octave")


class Outcome(NamedTuple):
    """What a program printed and wrote."""

    passes: list  # of (phase, pass, loss, seconds, seconds of the processor)
    error: float
    blas: str
    version: str
    probabilities: object


def environment(program, blas, n_threads):
    """Return the environment in which a program uses a BLAS and so many of its threads."""
    threads = {"OPENBLAS_NUM_THREADS": str(n_threads), "OMP_NUM_THREADS": str(n_threads)}
    if program in LINKED_BY_DEBIAN:
        found = glob.glob(BLAS[blas])
        if not found:
            raise SystemExit(f"{blas} is not there: apt-get install libblas3 libopenblas0-pthread")
        folder = str(Path(found[0]).parent)
        # R's start script puts its own folders first, but for this one.
        threads |= {"LD_LIBRARY_PATH": folder, "R_LD_LIBRARY_PATH": f"{folder}:/usr/lib/R/lib"}
    return {**os.environ, **threads}


def run(program, folder, *options, blas="OpenBLAS", n_threads=1):
    """Return the outcome of a program on a folder that `inputs.write` filled."""
    command = [*COMMANDS[program], folder, *options]
    settings = environment(program, blas, n_threads)
    done = subprocess.run(command, env=settings, stdout=subprocess.PIPE, text=True, check=True)
    passes, rest = [], {}
    for line in done.stdout.splitlines():
        if line.count(",") == 4:
            phase, *numbers = line.split(",")
            passes.append((phase, int(numbers[0]), *map(float, numbers[1:])))
        else:
            name, _, value = line.partition(" ")
            rest[name] = value.strip()
    probabilities = np.fromfile(folder / "probabilities.bin")
    return Outcome(passes, float(rest["error"]), rest["blas"], rest["version"], probabilities)
