"""What people look at: number formats, plots, tables, HTML, the model report and the model card."""
