"""From pixels and clicks to masks: what surrounds the network."""
