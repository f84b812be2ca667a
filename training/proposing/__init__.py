"""What the accepted objects of a project look like, label by label (docs/more-like-this.md)."""
