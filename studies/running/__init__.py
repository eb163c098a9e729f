"""Running studies and trainings: settings, storage, progress."""
