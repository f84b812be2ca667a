"""Image files and what the browser makes of them."""
