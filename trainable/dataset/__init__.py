"""Voice datasets: clips, their measures, the split into training and held-out clips, and the plan to encode them."""
