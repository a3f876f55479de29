"""Commands beside the pipeline: they look at it and make nothing that it needs."""
