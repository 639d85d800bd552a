"""What assets are handed: the project they work in and the process that trains."""
