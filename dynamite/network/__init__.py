"""The network: image features, queries from clicks, masks from both (paper, section 3)."""
