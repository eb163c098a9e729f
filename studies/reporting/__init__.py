"""What a comparison of studies says: measurements on the test set, statistics, words, figures, the page."""
