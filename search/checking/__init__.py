"""What is checked before Ray starts, so that a search that cannot work is refused within seconds."""
