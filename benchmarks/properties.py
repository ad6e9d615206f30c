"""Whether 50,000 random tables and parameters lead to documented errors or valid results.

Runs tests/test_properties.py with another seed than the test suite and more examples; prints how
many were run. ``python benchmarks/properties.py [EXAMPLES]``
"""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests" / "test_properties.py"
N_PROPERTIES = 4


def main(n_examples=50_000):
    """Run the properties; return the exit status of pytest."""
    per_property = -(-n_examples // N_PROPERTIES)
    command = [sys.executable, "-m", "pytest", "-q", "--hypothesis-show-statistics", str(TESTS)]
    environment = {**os.environ, "SKDBN_EXAMPLES": str(per_property)}
    print(f"{N_PROPERTIES} properties, {per_property} examples of each", flush=True)
    return subprocess.run(command, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
