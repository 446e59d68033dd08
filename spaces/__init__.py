"""The nouns that the whole project speaks in, and the search spaces. No torch here: readable on any laptop."""
