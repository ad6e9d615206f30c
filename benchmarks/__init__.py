"""What asv imports: it lets the files find each other as they do when they run by hand."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
