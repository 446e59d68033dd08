"""The room tests/trainable/dataset."""
