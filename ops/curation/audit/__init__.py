"""Looking at what curation decided: a random sample for a person to judge, and limits to try out."""
