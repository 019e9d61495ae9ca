"""ZenML's side: the pipeline, its steps as doors into the workflows, and how it is launched."""
