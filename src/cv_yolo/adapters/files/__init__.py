"""Plain files in the project's home: audit log, journal, outbox, predictions, weights, and the home itself."""
