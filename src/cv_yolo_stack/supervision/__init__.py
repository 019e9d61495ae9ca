"""Starting servers as processes, watching them, restarting and stopping them; not what each server is."""
