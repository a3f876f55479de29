"""The sections of params.yaml as types; params.yaml itself holds every default."""
