"""fapws.process: what a process is to the system."""
import subprocess
import sys

#: Python finds a codec's file at its first use: not without a descriptor.
WITHOUT_DESCRIPTORS = """
import resource
from fapws import process
process.load_codecs()
resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
for codec in "ascii", "latin-1", "utf-8":
    b"1 serving".decode(codec).encode(codec)
"""


def test_codecs_are_there_without_descriptors():
    assert subprocess.call([sys.executable, "-c", WITHOUT_DESCRIPTORS]) == 0
