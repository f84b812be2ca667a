"""Images and clicks in, masks out: what stands between pixels and the network."""
