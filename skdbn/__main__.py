"""Run the command line as ``python -m skdbn``."""

import sys

from skdbn._cli.main import main

sys.exit(main())
