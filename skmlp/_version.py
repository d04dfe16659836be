"""The version, in a module of its own that everybody may import."""

__version__ = "0.1.0.dev0"
