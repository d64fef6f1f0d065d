"""The Python section of the README, run as it stands."""

import re
from pathlib import Path

README = Path(__file__).resolve().parents[3] / "README.md"
DEFAULT_ADDRESS = "127.0.0.1:4281"


def python_block():
    section = re.search(r"^#+ Python$(.*?)(?=^#+ |\Z)", README.read_text(), re.MULTILINE | re.DOTALL)
    assert section, "the README has no section Python"
    blocks = re.findall(r"^```python\n(.*?)^```$", section.group(1), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    return blocks[0]


def test_the_readme_section_runs(server, capsys):
    from zabtree import reasons

    code = python_block()
    assert code.count(DEFAULT_ADDRESS) == 1
    # Everything but the port is taken as it stands: the default one may be in use.
    names = {}
    exec(compile(code.replace(DEFAULT_ADDRESS, server), str(README), "exec"), names)
    printed = capsys.readouterr().out
    assert "/hello" in printed
    assert reasons.NODE_EXISTS in printed
