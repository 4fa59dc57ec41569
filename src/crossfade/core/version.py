"""The program's version, which stands in every artifact."""

__version__ = "0.1.0"
