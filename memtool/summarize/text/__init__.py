"""Texts of any script: their words, sentences, plain form and telling terms. Pure; every summarizer may use it."""
