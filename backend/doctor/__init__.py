"""``dynamite doctor``: is everything connected, and if not, what to mend."""
