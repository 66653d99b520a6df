"""The ablation of FSVAE's Table 3: the same network with each distance between posterior and prior.

    python train/ablation.py fsvae/fashion-small --out runs/ablation

Writes ablation.csv and ablation.md into OUT: kld, mmd without and psp_mmd with post-synaptic potentials, and beside
each the FID that the paper has on CelebA. Stopped, the same command goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from event_tools.atomic import replacing
from train.points import Measures, columns_of, fails_in_a_sentence, parser_of, points_of, table_of, write_csv

DISTANCE = "losses.distance"
PUBLISHED = {"kld": 114.3, "mmd": 106.0, "psp_mmd": 101.6}  # FID on CelebA


def main() -> None:
    parser = parser_of(__doc__)
    options = parser.parse_intermixed_args()
    try:
        points = points_of(options.config, options.overrides, [f"{DISTANCE}={','.join(PUBLISHED)}"])
        measures = Measures(options.count, options.extractor, options.inception)
        rows = table_of(points, options.out, measures, "ablation")
    except (ValueError, OSError, ImportError) as error:
        fails_in_a_sentence(parser, error)
    else:
        rows = [row | {"published_celeba_fid": PUBLISHED[row[DISTANCE]]} for row in rows]
        write_csv(options.out / "ablation.csv", rows)
        with replacing(options.out / "ablation.md") as temporary:
            temporary.write_text(markdown(rows), encoding="utf-8")
        print(options.out / "ablation.md")


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a table."""
    names = columns_of(rows)
    lines = [names, ["---"] * len(names), *([_shown(row.get(name, "")) for name in names] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
