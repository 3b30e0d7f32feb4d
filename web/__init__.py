"""What people touch: pages, the reader, the HTTP application and the command line."""
