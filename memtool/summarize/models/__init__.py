"""Summarizers that ask a model: one prompt, one check of answers, one way to cut what is too long; many endpoints."""
