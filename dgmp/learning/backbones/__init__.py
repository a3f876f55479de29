"""Networks up to their last activation volume, and where their weights come from."""
