"""Export: writes a trained adapter in any layout, and loads what was exported."""
