"""What is known of generated rows, and the HTML report of a generation."""
