"""Fetching of photos by URL: address checks, URL rules and the fetcher."""
