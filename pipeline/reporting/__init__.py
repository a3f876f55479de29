"""Tables, findings and the report page."""
