"""Runs a Python program to its end in an interpreter's environment, with what it imports."""

import os
import subprocess

from support.process import clean_environment

#: What the package's own tests and the parity scripts need, each in a library of its own: the last
#: pytest and Django for Python 2.7, or today's.
REQUIREMENTS = {2: [["pytest==4.6.11"], ["django==1.11.29"]], 3: [["pytest"], ["django"]]}


def output_of(environment, arguments, folder, requirements=None, package=None):
    """What `python ARGUMENTS` prints on stdout; unless it ends well, all it printed is a failure.

    `requirements` are distributions to import, by default REQUIREMENTS; `package` is a folder that
    is searched before them and before what is installed.
    """
    needed = [requirements] if requirements else REQUIREMENTS[environment.major]
    searched = [package] if package else []
    searched += [environment.library(*each) for each in needed]
    answer = subprocess.run(
        [environment.python, *arguments],
        cwd=folder,
        env=clean_environment({"PYTHONPATH": os.pathsep.join(map(str, searched))}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout
