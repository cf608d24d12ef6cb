"""Array types of the package's annotations."""

from typing import Any

import numpy as np

# An array of NumPy or of JAX, whichever a function was given. The type checker takes it for any:
# fields that are annotated for JAX hold NumPy's arrays on the host.
Array = Any

# An array of NumPy's.
HostArray = np.ndarray[Any, Any]
