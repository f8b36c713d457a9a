"""Pure decisions: the model, levels and calendar, segmenting, merging, planning. No I/O, no clock, no environment."""
