"""DVC: data sets by their recorded revision, and the remote of each home. Nothing else runs DVC's commands."""
