"""Scans of pages as people have them: folders, PDFs, IIIF manifests."""
