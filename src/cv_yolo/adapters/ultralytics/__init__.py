"""Ultralytics (AGPL-3.0) behind the ports of models; meant to run in a child process.

What Ultralytics does by itself is switched off here: its MLflow run, its downloads and installations, its folders, its
search for labels, its caches next to the images, and its loading of weights, which runs what a file names.
"""
