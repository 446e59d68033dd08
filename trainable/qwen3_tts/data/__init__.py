"""Prepared data: clips encoded as codec codes, text ids and speaker embeddings, cached and stored in Parquet."""
