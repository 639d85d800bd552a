"""Models side by side: what differs in how they were made, their scores, and their videos."""
