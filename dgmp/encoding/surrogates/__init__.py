"""Local descriptors learned without labels: clusters of keypoints as surrogate classes."""
