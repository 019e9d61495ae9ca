"""ZenML's side: the pipeline, its steps, each of which calls a workflow, and how it is launched."""
