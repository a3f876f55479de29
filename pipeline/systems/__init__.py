"""Systems beside the table cells: page descriptors of all pages, and the chain that follows."""
