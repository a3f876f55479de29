"""What is made of results after training: intervals, tests, ensembles, rankings, weight maps."""
