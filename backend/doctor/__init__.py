"""``dynamite doctor``: checks the connection to Label Studio and says how to fix it."""
