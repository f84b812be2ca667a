"""The network: features of an image, queries from clicks, masks from both (paper section 3)."""
