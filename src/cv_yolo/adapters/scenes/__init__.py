"""Small painted scenes with persons and clutter: pictures whose boxes are known exactly.

A person is a jointed figure in a pose, on its own transparent layer. Its box is the tight box of its
silhouette, clipped to the image and measured before anything stands in front of it, as annotators do.
A person of whom less than 30 % would be visible is left out of both the picture and the boxes.
"""
