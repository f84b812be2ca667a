"""What doctor prints: each finding on a line, what is bad in red with what to do."""

from backend.doctor.findings import bad, good, unknown
from backend.doctor.report import report


def test_what_is_bad_is_red_and_counted():
    lines = []
    found = [good("queue", "it runs"), bad("token", "it is refused", "run `dynamite serve`")]
    assert report(iter([*found, unknown("images", "there are none")]), lines.append) == 1
    queue, token, remedy, images, _, last = lines
    assert "\x1b" not in queue + images
    assert token.startswith("\x1b[31m ✗ token")
    assert "→ run `" in remedy
    assert last == "1 to fix."
