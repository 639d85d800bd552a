"""Pages and pictures for people: of a curation, of two beside each other, of a dataset."""
