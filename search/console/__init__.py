"""What a search prints: before it starts, while it runs, after it ends, and as a dry run."""
