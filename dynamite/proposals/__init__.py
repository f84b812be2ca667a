"""More like this: what accepted objects look like, and further ones of their kind in an image."""
