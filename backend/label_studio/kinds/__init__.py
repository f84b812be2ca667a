"""The kinds of mask, one module each (docs/extending.md)."""
