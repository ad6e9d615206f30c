"""Rows on the workers of a cluster of dask.distributed."""
