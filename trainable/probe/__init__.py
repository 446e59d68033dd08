"""The probe: speaks a fixed set of lines with an adapter and listens to them."""
