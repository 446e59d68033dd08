"""The work before and after the trials: the base model's measurements, and the confirmation of finalists."""
