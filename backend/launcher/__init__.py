"""Starting and stopping the processes of one host: queue server, worker, web server."""
