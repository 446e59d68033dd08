"""The room trainable/probe/criteria."""
