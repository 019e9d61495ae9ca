"""Trainings: specs, what determines a result, runs, events, progress, lease; not how a detector is scored."""
