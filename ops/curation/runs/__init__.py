"""What each run of curation came to, and how two runs differ."""
