"""Question: how long does a pass take in R, Octave, plain NumPy and skdbn, and what is learned.

    python benchmarks/languages/compare.py --out benchmarks/results/languages.jsonl

The same net of 784-500-500-2000, from the same start, with the same minibatches; each program
draws the random numbers of the hidden states itself. A run that the file of results has is not
made again; the table is written beside the file, as languages.rst. `check.py` shows that all
programs compute the same. R and Octave are Debian's packages r-base-core and octave, and the two
BLAS are libblas3 and libopenblas0-pthread.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

import inputs
import programs
from inputs import common

N_TEST = 10_000
KEYS = "seconds", "processor_seconds"
MANY = max(2, os.cpu_count())
RUNS = {  # program, options of its command line, BLAS, threads
    "GNU R, reference BLAS": ("GNU R", (), "reference BLAS", 1),
    "GNU R": ("GNU R", (), "OpenBLAS", 1),
    f"GNU R, {MANY} threads": ("GNU R", (), "OpenBLAS", MANY),
    "GNU Octave, reference BLAS": ("GNU Octave", (), "reference BLAS", 1),
    "GNU Octave": ("GNU Octave", (), "OpenBLAS", 1),
    f"GNU Octave, {MANY} threads": ("GNU Octave", (), "OpenBLAS", MANY),
    "GNU Octave, single": ("GNU Octave", ("single",), "OpenBLAS", 1),
    "plain NumPy": ("plain NumPy", (), "OpenBLAS", 1),
    f"plain NumPy, {MANY} threads": ("plain NumPy", (), "OpenBLAS", MANY),
    "skdbn": ("skdbn", (), "OpenBLAS", 1),
    f"skdbn, {MANY} threads": ("skdbn", (), "OpenBLAS", MANY),
}


def result_of(name, folder, rows, passes):
    """Run a program; return what the table needs."""
    program, options, blas, n_threads = RUNS[name]
    load = os.getloadavg()[0]
    outcome = programs.run(program, folder, *options, blas=blas, n_threads=n_threads)
    result = {
        "run": name,
        "rows": rows,
        "passes": passes,
        "test_error": outcome.error,
        "version": outcome.version,
        "blas": outcome.blas,
        "threads": n_threads,
        "cpu": common.cpu(),
        "cores": os.cpu_count(),
        "load_before": load,
    }
    for i, key in enumerate(("losses", *KEYS), 2):
        result[key] = {}
        for one_pass in outcome.passes:
            result[key].setdefault(one_pass[0], []).append(one_pass[i])
    return result


def results(out, rows, passes):
    """Return the results by run, those of the file and those that it lacks."""
    found = {}
    if out.exists():
        for line in out.read_text().splitlines():
            result = json.loads(line)
            if (result["rows"], result["passes"]) == (rows, passes):
                found[result["run"]] = result
    missing = [name for name in RUNS if name not in found]
    if missing:
        with tempfile.TemporaryDirectory() as folder, out.open("a") as file:
            folder = Path(folder)
            inputs.write(folder, inputs.settings_of(rows, N_TEST, passes, passes, passes))
            for name in missing:
                found[name] = result_of(name, folder, rows, passes)
                file.write(json.dumps(found[name]) + "\n")
                file.flush()
                print(f"{name}: {seconds_of(found[name], 'seconds')[-1]:.1f} s a pass", flush=True)
    return found


def seconds_of(result, key):
    """Return the least seconds of a pass in each phase, and their sum."""
    seconds = [min(passes) for passes in result[key].values()]
    return [*seconds, sum(seconds)]


def table(found):
    """Return the table of all runs as text that Sphinx reads."""
    columns = ["run", "pretraining", "softmax", "fine-tuning", "sum", "ratio"]
    columns += ["processor", "ratio", "test error"]
    width = max(map(len, RUNS))
    widths = [width, *(max(7, len(column)) for column in columns[1:])]
    line = " ".join("=" * width for width in widths)
    heads = [f"{head:{width}}" for head, width in zip(columns, widths, strict=True)]
    rows = [line, " ".join(heads), line]
    for name in RUNS:
        result = found[name]
        (ours,) = [
            found[other]
            for other, (program, *_, n_threads) in RUNS.items()
            if program == "skdbn" and n_threads == result["threads"]
        ]
        seconds, processor = (seconds_of(result, key) for key in KEYS)
        pretraining, (softmax, finetuning, _) = sum(seconds[:-3]), seconds[-3:]
        figures = [pretraining, softmax, finetuning, seconds[-1]]
        figures = [f"{figure:.2f}" for figure in figures]
        figures.append(f"{seconds[-1] / seconds_of(ours, KEYS[0])[-1]:.1f}")
        figures.append(f"{processor[-1]:.2f}")
        figures.append(f"{processor[-1] / seconds_of(ours, KEYS[1])[-1]:.1f}")
        figures.append(f"{100 * result['test_error']:.2f} %")
        cells = [f"{figure:>{w}}" for figure, w in zip(figures, widths[1:], strict=True)]
        rows.append(" ".join([f"{name:{width}}", *cells]))
    return "\n".join([*rows, line, ""])


def setting(found, rows, passes):
    """Return a paragraph about where the figures come from."""
    loads = [result["load_before"] for result in found.values()]
    cpu, cores = found["skdbn"]["cpu"], found["skdbn"]["cores"]
    libraries = sorted({f"{r['version']} with {r['blas']}" for r in found.values()})
    return (
        f"{rows:,} rows of MNIST, {passes} passes of each phase, the faster one counts; "
        f"{N_TEST:,} test rows. {cpu}, {cores} cores; load average before a run "
        f"{min(loads):.1f} to {max(loads):.1f}. {common.beside(max(loads), cores)}"
        f"{'; '.join(libraries)}.\n"
    )


def main():
    """Make the runs that are missing, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="file of results, one a line")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--passes", type=int, default=2, help="passes of each phase")
    options = parser.parse_args()
    found = results(options.out, options.rows, options.passes)
    page = table(found) + "\n" + setting(found, options.rows, options.passes)
    options.out.with_suffix(".rst").write_text(page)
    print(page)


if __name__ == "__main__":
    main()
