"""The files that curation begins with: which there are, what lies beside them, what they hold."""
