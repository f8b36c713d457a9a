"""How well `extractive` picks and tells what a conversation said, beside the classics at equal turns and words."""
