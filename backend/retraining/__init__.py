"""What the backend knows of retraining: its settings, when it starts, the models it brings."""
