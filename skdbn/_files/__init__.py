"""What crosses the disk."""
