"""Operating the servers of a stack; not how detectors are trained and judged, which is `cv_yolo`.

Behind `up`, `down`, `status`, `logs`, `restart`, `stack`, `connect`, `doctor`, `backup`, `restore`, `init-env`, `ui`.
`cv_yolo` never imports this: the commands come to `cv-yolo` by an entry point.
"""
