"""All scenes. `python -m tests.powercut.scenes FOLDER=NAME ...` makes their changes, each in its folder."""

import os
import sys
from pathlib import Path

from tests.powercut.program import record_sites
from tests.powercut.recorder import mark
from tests.powercut.scene_files import FILES
from tests.powercut.scene_restores import RESTORES

SCENES = {**RESTORES, **FILES}

if __name__ == "__main__":
    record_sites()
    for argument in sys.argv[1:]:
        folder, _, name = argument.partition("=")
        mark(Path(os.environ["POWERCUT_LOG"]), name)
        SCENES[name].act(Path(folder))
