"""Question: do the programs in R, Octave, NumPy and skdbn compute the same.

    python benchmarks/languages/check.py [PROGRAM ...]

One pass of each phase of 784-500-500-2000 on 1000 rows, with the same random numbers for the hidden
states. The losses of all phases and the probabilities that the net ends with are compared with
those of plain NumPy, and must agree to rounding: 1e-10 of a loss, 1e-8 of a probability. In float32
(Octave and skdbn) a hidden state may fall the other way, so 1e-4 of a loss is the limit there.
"""

import sys
import tempfile
from pathlib import Path

import inputs
import numpy as np
import programs

N_ROWS, N_TEST = 1000, 1000
VARIANTS = {  # program, options of its command line, largest differences of losses, probabilities
    "GNU R": ("GNU R", (), 1e-10, 1e-8),
    "GNU Octave": ("GNU Octave", (), 1e-10, 1e-8),
    "skdbn, float64": ("skdbn", ("float64",), 1e-10, 1e-8),
    "GNU Octave, single": ("GNU Octave", ("single",), 1e-4, 1e-2),
    "skdbn": ("skdbn", (), 1e-4, 1e-2),
}


def main():
    """Print the differences, and fail where one is too large."""
    names = sys.argv[1:] or VARIANTS
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        inputs.write(folder, inputs.settings_of(N_ROWS, N_TEST, 1, 1, 1), has_uniforms=True)
        expected = programs.run("plain NumPy", folder)
        heads = [phase.removeprefix("pretrain ") for phase, *_ in expected.passes]
        heads.append("probabilities")
        print(f"{'':18}" + "".join(f"{head:>15}" for head in heads))
        losses = "".join(f"{loss:15.11f}" for _, _, loss, *_ in expected.passes)
        print(f"{'loss, plain NumPy':18}{losses}")
        has_failed = False
        for name in names:
            program, options, largest_loss, largest = VARIANTS[name]
            outcome = programs.run(program, folder, *options)
            pairs = zip(outcome.passes, expected.passes, strict=True)
            losses = [abs(ours[2] / plain[2] - 1) for ours, plain in pairs]
            difference = np.abs(outcome.probabilities - expected.probabilities).max()
            figures = "".join(f"{figure:15.1e}" for figure in [*losses, difference])
            print(f"{name:18}{figures}", flush=True)
            has_failed |= max(losses) > largest_loss or difference > largest
    if has_failed:
        raise SystemExit("a difference is larger than rounding")


if __name__ == "__main__":
    main()
