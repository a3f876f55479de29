"""Scores of the runs, ensembles, intervals and tests."""
