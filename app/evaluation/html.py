"""report.html: a self-contained HTML file."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; margin: .5rem 0 } th, td { padding: .2rem .8rem; text-align: left }
th { border-bottom: 1px solid #888 } tr:nth-child(even) td { background: #f4f4f4 }
figure { display: inline-block; margin: 0 1rem 1rem 0 } figcaption { font-weight: 600 } figure img { width: 34rem }
td img { height: 96px; vertical-align: middle; margin-right: .5rem }
"""

Thumbnails = Mapping[str, bytes]
"""Name of a photo -> a small JPEG of it."""


class HtmlPage:
    """Builder of a page; it escapes all text."""

    def __init__(self, title: str) -> None:
        self._title = escape(title)
        self._parts = [f"<h1>{self._title}</h1>"]

    def heading(self, text: str) -> None:
        """Add a heading."""
        self._parts.append(f"<h2>{escape(text)}</h2>")

    def text(self, text: str) -> None:
        """Add a paragraph."""
        self._parts.append(f"<p>{escape(text)}</p>")

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]], thumbnails: Thumbnails | None = None) -> None:
        """Add a table. A cell with the name of a photo also shows its thumbnail, if there is one."""
        pictures = thumbnails or {}
        self._parts.append("<table><tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in header) + "</tr>")
        for row in rows:
            cells = (f"<td>{_picture(pictures.get(cell))}{escape(cell)}</td>" for cell in row)
            self._parts.append("<tr>" + "".join(cells) + "</tr>")
        self._parts.append("</table>")

    def plot(self, caption: str, svg: bytes) -> None:
        """Add an SVG picture with a caption."""
        source = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
        caption = escape(caption)
        self._parts.append(f'<figure><figcaption>{caption}</figcaption><img alt="{caption}" src="{source}"></figure>')

    def __str__(self) -> str:
        head = f'<meta charset="utf-8"><title>{self._title}</title><style>{_STYLE}</style>'
        return (
            f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>\n'
            + "\n".join(self._parts)
            + "\n</body></html>"
        )


def _picture(jpeg: bytes | None) -> str:
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}">' if jpeg else ""
