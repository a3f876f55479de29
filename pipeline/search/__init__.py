"""What a search says about a person's pages, as a folder to look at."""
