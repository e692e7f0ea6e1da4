//! Turns timestamped chunks of one response into its marks, gaps, usage, ending and oddities.
