"""What all stages share: command line, launcher, files, page lists, parallel work, provenance."""
