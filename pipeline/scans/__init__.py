"""Search in a person's own scans, from their files to a report."""
