"""From local descriptors to the descriptor of a page, without a network."""
