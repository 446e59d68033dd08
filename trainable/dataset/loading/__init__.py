"""Loads voice datasets: local folders and files in each supported layout, and datasets of the Hugging Face hub."""
