"""From the local descriptors or the pixels of a page to one descriptor of the page."""
