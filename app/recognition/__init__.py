"""The product's verbs: analyse, enroll, verify, identify, and the decisions behind them."""
