"""Turns clicks into masks for any annotation tool: owns the model, the images and the features."""
