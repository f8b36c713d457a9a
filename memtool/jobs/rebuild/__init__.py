"""Writing the table of contents anew beside the current one: `run` is the task's body, `price` says what it takes."""
