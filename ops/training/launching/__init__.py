"""From a job to ranks that train, and the watch over them."""
