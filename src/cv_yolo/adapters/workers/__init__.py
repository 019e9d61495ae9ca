"""Trainings, predictions and inspections in supervised child processes: both ends, and how the processes start."""
