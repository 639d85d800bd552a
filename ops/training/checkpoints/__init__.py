"""What lies on the disk of a training, what it takes back from there, and what it leaves behind."""
