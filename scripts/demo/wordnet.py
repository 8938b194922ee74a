"""WordNet's database files as a list of synsets: part of speech, category, lemmas, definitions, example sentences."""

import re
from dataclasses import dataclass
from pathlib import Path

# Lexicographer file numbers of the noun categories (WordNet manual, lexnames(5WN)).
NOUN_CATEGORIES = {
    "05": "animal", "06": "artifact", "08": "body", "10": "communication",
    "13": "food", "15": "location", "18": "person", "20": "plant",
}  # fmt: skip


@dataclass(frozen=True)
class Synset:
    """One line of a data file; `category` is None outside NOUN_CATEGORIES, `instance` marks named individuals."""

    category: str | None
    lemmas: tuple[str, ...]
    definition: str
    examples: tuple[str, ...]
    instance: bool


def read_synsets(folder: Path) -> list[Synset]:
    """All synsets of the four data files below `folder` (the `dict` folder), in file order."""
    synsets = []
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{part}").read_text(encoding="utf-8").splitlines():
            if not line.startswith("  "):  # the licence header is indented
                synsets.append(parse_line(line, part))
    return synsets


def parse_line(line: str, part: str) -> Synset:
    """`offset lexfile type count lemma id … pointers | gloss`, the gloss being `definition; "example"; …`."""
    head, gloss = line.split(" | ", 1)
    fields = head.split()
    count = int(fields[3], 16)
    lemmas = tuple(re.sub(r"\(.*\)$", "", fields[4 + 2 * i]).replace("_", " ") for i in range(count))
    definition = re.split(r'[;,:]?\s*"', gloss, maxsplit=1)[0].strip(" ;")
    examples = tuple(example.strip() for example in re.findall(r'"([^"]+)"', gloss))
    category = NOUN_CATEGORIES.get(fields[1]) if part == "noun" else None
    return Synset(category, lemmas, definition, examples, " @i " in head)


def normalised(text: str) -> str:
    """Lower-case words joined by one space: two texts with the same form count as duplicates."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))
