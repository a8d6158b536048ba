"""Statistics on arrays: metrics, intervals, calibration, uncertainty, tests. Arrays in, arrays out."""
