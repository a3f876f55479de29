"""Page images: reading, binarization, edges, patches and their packed store, augmentation."""
