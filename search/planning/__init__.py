"""What a search will do, resolved before it starts: its plan, its share of the machine, and what it will cost."""
