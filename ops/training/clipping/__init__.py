"""What is done about gradients that are too large: rules on norms, which know no engine and no ranks."""
