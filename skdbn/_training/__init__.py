"""Training in general, without knowledge of machines or networks."""
