"""Voice datasets: where they come from, what is wrong with them, and who takes which part in a search."""
