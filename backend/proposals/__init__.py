"""More like this: projects' objects described by workers, further ones proposed on request."""
