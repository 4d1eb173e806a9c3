"""Why it went wrong: one YAML file a root cause."""
