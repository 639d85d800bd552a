"""What `soraflow` prints."""
