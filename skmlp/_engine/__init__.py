"""The numerical core: NumPy and SciPy only, no estimator and no vocabulary module is known here."""
