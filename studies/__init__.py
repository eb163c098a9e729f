"""What a user runs: command line, studies, comparison, report, dashboard."""
