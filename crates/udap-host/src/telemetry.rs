//! Log lines: human on a terminal, JSON otherwise.
