"""What a person looks at while a training runs."""
