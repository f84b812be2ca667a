"""The kinds of region that hold masks, one module each (docs/extending.md)."""
