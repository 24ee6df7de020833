"""``python -m aurora_prep.pipelines`` is ``aurora-prep``."""

import sys

from aurora_prep.pipelines.cli import main

sys.exit(main())
