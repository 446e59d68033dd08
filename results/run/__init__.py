"""What a run keeps on disk: its folder, its ledger and the votes of listeners."""
