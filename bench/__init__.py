"""What is measured; `make bench` prints it."""
