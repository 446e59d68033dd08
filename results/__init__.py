"""What a search leaves behind: its ledger, rankings, TensorBoard, a listening page and exported adapters."""
