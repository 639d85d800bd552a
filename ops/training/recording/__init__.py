"""Who hears of a training: its log, its loss curve, MLflow and Dagster."""
