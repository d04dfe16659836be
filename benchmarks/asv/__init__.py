"""Benchmarks of parts of skmlp over its history, for asv (airspeed velocity).

Every module needs skmlp and NumPy only, and no module of the other benchmarks.
"""
