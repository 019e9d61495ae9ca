"""`cv-yolo doctor`: what is tested on each service, and how to fix it."""
