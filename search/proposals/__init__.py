"""What the next trial is: Optuna's study and sampler, the bands, the budget, and what prior runs teach."""
