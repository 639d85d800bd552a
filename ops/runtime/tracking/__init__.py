"""The project's MLflow: how it is reached, and what its runs are called and lie under."""
