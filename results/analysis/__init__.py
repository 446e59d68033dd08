"""Conclusions from a ledger: ranking, grades, acceptance by loss, costs and advice."""
