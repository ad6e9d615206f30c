"""Arrays of an engine and functions of them; NumPy by name only in `engines`."""
