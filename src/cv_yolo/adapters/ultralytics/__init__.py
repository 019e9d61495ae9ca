"""Ultralytics (AGPL-3.0) behind the ports of models; meant to run in a child process of its own.

What Ultralytics does by itself is switched off here: its MLflow run, its downloads and installations, its folders, its
search for labels, its caches beside the images, and its way to load weights, which runs what a file names.
"""
