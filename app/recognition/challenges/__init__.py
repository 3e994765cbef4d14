"""Active liveness challenges: a person follows prompts, and the frames of that are judged."""
