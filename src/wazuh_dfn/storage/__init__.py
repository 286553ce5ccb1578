"""What is kept on the disk: dead letters, and the disk itself."""
