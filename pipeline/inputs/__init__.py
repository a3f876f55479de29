"""What training starts from: starting weights, packed data, a frozen trunk's activations."""
