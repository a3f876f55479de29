"""What can stand in params.yaml, section by section."""
