"""A pack: many adapters trained at once on one frozen base in a single forward and backward pass."""
