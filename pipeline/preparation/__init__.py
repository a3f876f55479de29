"""Pages and labels from the program itself, a folder, or the published data; splits; packing."""
