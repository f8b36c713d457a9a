"""The default summarizer: what was asked and what came of it, in the conversation's own words."""
