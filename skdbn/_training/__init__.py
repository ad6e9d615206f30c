"""How anything is trained: knows no machine and no network."""
