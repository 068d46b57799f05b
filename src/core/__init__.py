"""Settings and the domain's value objects; imports nothing of ours."""
