"""Swap the served model without downtime, and serve a challenger beside the champion."""
