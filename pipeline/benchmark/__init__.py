"""The open benchmark: pages rebuilt from public repositories at pinned commits."""
