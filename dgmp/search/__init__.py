"""Which pages are by the same hand: an index of pages, and what it says about them."""
