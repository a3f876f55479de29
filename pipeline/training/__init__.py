"""Training runs, and the store in which they are found again."""
