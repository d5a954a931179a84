"""Random bits flipped at rest in Zarr v2 stores, which have no checksum: what is seen, and what the rest does."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from pathlib import Path

from gauntlet import ours
from gauntlet.archive import Archive
from gauntlet.cases import Case
from gauntlet.judge import TOLERANCE, judge


def run(count: int, seed: int = 1) -> str:
    """Flip one random bit in a random chunk, many times, with and without compression.

    Parameters
    ----------
    count : int
        How often for each.
    seed : int
        Decides where.

    Returns
    -------
    str
        What became of them.
    """
    lines = []
    for words, stored in (("Blosc-lz4", {}), ("no compression", {"compressors": None})):
        with tempfile.TemporaryDirectory(prefix="flips-") as folder:
            archive = Archive(Path(folder), folder)
            case = Case("flips", "at rest", "", stored=stored)
            collection = archive.build(case)
            outcomes: Counter[str] = Counter()
            worst, draw = 0.0, random.Random(seed)
            chunks = sorted((archive.root / "flips").glob("*/tas/*.0.0"))
            for _ in range(count):
                path = draw.choice(chunks)
                sound = path.read_bytes()
                damaged = bytearray(sound)
                damaged[draw.randrange(len(sound))] ^= 1 << draw.randrange(8)
                path.write_bytes(bytes(damaged))
                answer, truth = ours.ask(case, collection, {}), ours.expected(case)
                path.write_bytes(sound)
                verdict = judge(answer, truth, case.source_id, ours.measure(case))
                outcomes[verdict.outcome] += 1
                if case.source_id in answer.numbers:
                    off = abs(answer.numbers[case.source_id] - truth[case.source_id]) / ours.measure(case)
                    worst = max(worst, off)
            lines.append(
                f"{count} bits flipped at rest, {words}: {outcomes['excluded']} excluded, {outcomes['repaired']} within "
                f"{TOLERANCE:g} sd, {outcomes['silent wrong']} silently beyond; the largest error of a reported number "
                f"is {worst:.2g} sd"
            )
    return "\n".join(lines)
