"""What turns clicks into masks, whatever annotation tool they come from: model, images, answers."""
