"""`cv-yolo doctor`: what is tried on each service, and what mends it."""
