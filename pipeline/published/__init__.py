"""The data of the paper: download, verify, unpack, and check against its page lists."""
