"""Where peers and applications decide sizes, memory grows by a bound or by what may fail.

`Vec` ends the process where there is no memory. So each function of these files that makes a buffer
grow names the bound, asks for room first (`src/sys/memory.rs`), or stands below with a reason.
"""

import re

from support import ROOT

FILES = """
queue.rs http/response_head.rs http/target.rs server/body_buffer.rs server/connection/body.rs
server/connection/read.rs server/connection/write.rs app/base/custom.rs app/base/stock.rs
app/buffer_pool.rs app/environ/own_input.rs app/input/content.rs app/params.rs app/response.rs
app/start_response/header_args.rs app/start_response/overflow.rs
""".split()

HEAD = "a head is at most LONGEST_HEAD long, which is looked at where it is made"
CONSTANT = "a constant size"

#: Functions that grow a buffer and name no bound, and why they may.
REASONS = {
    ("queue.rs", "keep_head"): HEAD,
    ("queue.rs", "push_segment"): CONSTANT,
    ("queue.rs", "push_end"): CONSTANT,
    ("queue.rs", "shrink"): "by its caller's constant",
    ("app/buffer_pool.rs", "take_begun"): "`take` gave the room",
    ("app/response.rs", "legacy"): HEAD,
    ("app/base/stock.rs", "head_text"): HEAD,
    ("http/response_head.rs", "push_early_hints"): HEAD,
    ("http/response_head.rs", "push"): HEAD,
    ("http/response_head.rs", "remove"): "a part of what is there",
    ("http/response_head.rs", "update"): "a date and a setting",
    ("http/target.rs", "percent_decode"): "as long as what it decodes, which is held already",
    ("app/start_response/overflow.rs", "copy"): CONSTANT,
    ("server/connection/write.rs", "read_block"): CONSTANT,
}

FUNCTION = re.compile(
    r"\n *(?:pub(?:\([a-z]+\))? )?(?:const )?fn (\w+)"
    r"(.*?)(?=\n *(?:pub(?:\([a-z]+\))? )?(?:const )?fn |\Z)",
    re.S,
)
GROWTH = re.compile(
    r"\.(?:reserve|to_vec|extend_from_slice|resize|extend)\(|Vec::with_capacity\(|vec!\[0"
)
BOUND = re.compile(r"\b(?:memory::|try_reserve|reserve\(|has_room\(|LONGEST_HEAD|READ_AHEAD)")


def growing(name):
    """The functions of a file that grow a buffer and name no bound; its tests are left out."""
    code = (ROOT / "src" / name).read_text().split("#[cfg(test)]")[0]
    for function, body in FUNCTION.findall(re.sub(r"\n *//.*", "", code)):
        own = re.sub(r"\.reserve\(", ".grow(", body)
        if GROWTH.search(body) and not BOUND.search(own):
            yield name, function


def test_what_grows_names_its_bound():
    found = {place for name in FILES for place in growing(name)}
    assert found <= REASONS.keys(), sorted(found - REASONS.keys())
    assert REASONS.keys() <= found, f"not needed any more: {sorted(REASONS.keys() - found)}"
