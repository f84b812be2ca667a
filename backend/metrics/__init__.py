"""What an operator's monitoring asks for, in Prometheus' text format."""
