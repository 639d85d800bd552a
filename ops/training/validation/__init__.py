"""What is measured on held-out samples, and how sure progress is."""
