"""The result of a fit: `Fit` with its columns, methods, remarks and exports."""
