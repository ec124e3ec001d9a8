"""QIIME 2 plugin that calls the command `aam`."""

__version__ = "0.1.0"
