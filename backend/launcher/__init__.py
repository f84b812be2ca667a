"""Starts and stops the processes of one host: queue server, workers, web server."""
