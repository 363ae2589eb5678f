//! Counters and histograms in the Prometheus text format.
