"""Pages and labels from the program itself or from a folder; splits; packing."""
