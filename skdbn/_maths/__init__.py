"""Mathematics on arrays of an engine; only `engines` names NumPy."""
