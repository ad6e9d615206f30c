"""Run the command line."""

import sys

from skdbn._cli import main

sys.exit(main())
