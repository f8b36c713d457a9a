"""The draft of a segment: of work with an agent, request → outcome; of talk between people, what each said."""
