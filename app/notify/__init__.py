"""Events for other programs: who subscribes, rules, and delivery."""
