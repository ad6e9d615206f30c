"""Run the command line."""

import sys

from skdbn._cli.main import main

sys.exit(main())
