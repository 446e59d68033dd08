"""Trials side by side on shared base models: an actor that hands out seats, and Ray Train runs that serve them."""
