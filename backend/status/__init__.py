"""What the backend says about itself: the page at ``/`` and the journal of recent troubles."""
