"""Studies as a person inspects them in optuna-dashboard: notes in words, figures, no miss among the best."""
