"""Getting raw scores: what is missing, one pass for all scorers, attempts and failures, and the store."""
