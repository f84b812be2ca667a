"""The web application: what it is put together from, and its pages for people and monitoring."""
