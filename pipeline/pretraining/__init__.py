"""Starting weights of the networks."""
