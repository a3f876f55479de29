"""Starting weights of the backbones, apart from what else is published: they need networks."""
