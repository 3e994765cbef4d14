"""The product's verbs: analyse, enrol, verify, identify, and the decisions behind them."""
