"""The model while it trains: prompt layout, losses, LoRA with its dropout, and the codec at both ends."""
