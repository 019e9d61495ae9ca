"""From boxes to metrics with intervals: matching, errors, calibration, comparison; not what is decided on them."""
