"""The protocol between the training loop and a model family."""
