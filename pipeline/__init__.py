"""The DVC stages: each module reads params.yaml and files, calls dgmp, writes files."""
