# SPDX-License-Identifier: MIT
"""What all integration tests have in common: the harness is where `import` finds it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
