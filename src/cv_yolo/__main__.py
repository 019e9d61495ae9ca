"""`python -m cv_yolo` is the command `cv-yolo`."""

from cv_yolo.cli.main import main

if __name__ == "__main__":
    main()
