"""Networks that metrics look through, each of which takes its published checkpoint under the published names."""
