"""Training: loop, optimizer, checkpoints, losses, networks, and the two tasks of the paper."""
