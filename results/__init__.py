"""Ledger, ranking, TensorBoard, pictures and export: what a search leaves behind."""
