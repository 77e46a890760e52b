"""Loading scores from a file: strict about every row, lenient about the file as a whole."""
