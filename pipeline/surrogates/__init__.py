"""Features learned without labels: surrogate classes, and a network that tells them (Cl-S [3])."""
