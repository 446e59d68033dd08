"""Search spaces as TOML files, and the data types that the whole project shares. No torch."""
