"""The steps of curation, a file each: what a step reads, measures and writes."""
