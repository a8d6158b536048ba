"""Change the served model without a pause, and serve a challenger beside the champion."""
