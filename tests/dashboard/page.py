"""A page as a browser sees it."""

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any


@dataclass
class Page(HTMLParser):
    """Parses a page.

    Attributes:
        tags: name and attributes of every element.
        text: the text, without scripts.
        charts: the data of each chart, by its name.
    """

    html: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: str = ""
    charts: dict[str, Any] = field(default_factory=dict)
    _inside: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - as HTMLParser calls it
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside != "script":
            self.text += data
        elif data.strip():
            chart = json.loads(data)
            self.charts[chart["name"]] = chart

    def all(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of each element of a name."""
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def sections(self) -> list[str]:
        """Return the ids of the page's sections, in order."""
        return [
            attributes["id"] for tag, attributes in self.tags if tag in {"section", "dl", "li"} and "id" in attributes
        ]

    @property
    def links(self) -> list[str]:
        return [attributes["href"] for attributes in self.all("a")]

    @property
    def lines(self) -> list[str]:
        """Return the links to files, in order."""
        return [link for link in self.links if "/files/" in link]
