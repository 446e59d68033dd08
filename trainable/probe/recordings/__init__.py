"""The command `python -m trainable.probe`: judges recordings of known texts, whatever made them."""
