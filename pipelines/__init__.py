"""What depends on what: the Dagster side of soraflow. No tensors here."""
