"""From raw scores to keep or drop: cuts, crops, bounds, collections, duplicates, and the words for all of it."""
