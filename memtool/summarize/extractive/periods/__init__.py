"""The draft of a period: claims of its children, what comes back told once, no child left out."""
