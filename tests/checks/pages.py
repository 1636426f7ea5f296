#!/usr/bin/env python3
"""Opens pages in headless Chromium and looks at what a reader relies on.

    pip install playwright; apt-get install chromium
    tests/checks/pages.py PAGE.html...

Of each page: nothing is asked of any host and no script fails; nothing reaches over the edge of a screen of 390 or
1280 pixels; text stands out from its ground, light and dark; every figure with curves shows the value under the
pointer, and its button draws it on the other axis; in print and without scripts there are the drawings instead. Prints
a line a page, with its size in kB. Exit code 1 where something is not so. CHROMIUM names another browser than
/usr/bin/chromium.
"""

import os
import pathlib
import sys

from playwright.sync_api import sync_playwright

WIDTHS = (390, 1280)
# The smallest ratio of brightness between text and its ground, WCAG 2.2, success criterion 1.4.3.
CONTRAST = 4.5

RATIO = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (text) => {
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgb(text).slice(0, 3).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if ((rgb(color)[3] ?? 1) === 1) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const seen = [...document.querySelectorAll("h1, h2, h3, p, dt, dd, td, th, figcaption, button, a, code, .verdict")];
  const ratios = seen.filter((element) => element.offsetParent).map((element) => {
    const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  });
  return Math.min(...ratios);
}"""


class Looks:
    """What is wrong with a page."""

    def __init__(self, path):
        self.path, self.wrong = path, []

    def expect(self, holds, words):
        if not holds and words not in self.wrong:
            self.wrong.append(words)

    def open(self, browser, **how):
        page = browser.new_context(**how).new_page()
        page.on("request", lambda request: self.expect(request.url.startswith("file:"), f"asks for {request.url}"))
        page.on("pageerror", lambda error: self.expect(False, f"a script fails: {error}"))
        page.goto(self.path.resolve().as_uri())
        return page


def look(browser, path):
    looks = Looks(path)
    figures = 0
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            name = f"{width} px, {scheme}"
            page = looks.open(browser, viewport={"width": width, "height": 900}, color_scheme=scheme)
            over = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
            looks.expect(over <= 0, f"{over} px over the edge ({name})")
            ratio = page.evaluate(RATIO)
            looks.expect(ratio >= CONTRAST, f"text has a contrast of {ratio:.2f} ({name})")
            live = page.locator("figure.live")
            figures = live.count()
            drawn = page.locator('figure script[type="application/json"]').count()
            looks.expect(figures == drawn, f"{figures} of {drawn} figures are drawn again ({name})")
            for at in range(figures):
                figure = live.nth(at)
                title = figure.locator("h2").inner_text()
                figure.scroll_into_view_if_needed()
                figure.locator(".u-over").hover()
                shown = figure.locator(".u-value").all_inner_texts()
                looks.expect(any(value not in ("–", "--") for value in shown), f"{title}: no value is shown ({name})")
                if figure.locator("button").count():
                    before = figure.locator("canvas").evaluate("canvas => canvas.toDataURL()")
                    figure.locator("button").click()
                    after = figure.locator("canvas").evaluate("canvas => canvas.toDataURL()")
                    looks.expect(before != after, f"{title}: the button does nothing ({name})")
            page.emulate_media(media="print")
            looks.expect(not page.locator(".plot >> visible=true").count(), f"curves are printed twice ({name})")
            drawings = page.locator(".drawing svg >> visible=true").count()
            looks.expect(drawings == page.locator("figure").count(), f"not every figure is printed ({name})")
            page.context.close()
    page = looks.open(browser, java_script_enabled=False)
    drawings = page.locator(".drawing svg >> visible=true").count()
    looks.expect(drawings == page.locator("figure").count(), "not every figure is there without scripts")
    page.context.close()
    result = "; ".join(looks.wrong) or "as it should be"
    print(f"{path}  {path.stat().st_size / 1024:.0f} kB  {drawings} figures, {figures} of them with curves: {result}")
    return not looks.wrong


def main():
    pages = [pathlib.Path(path) for path in sys.argv[1:]]
    if not pages:
        sys.exit(__doc__)
    with sync_playwright() as playwright:
        program = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        quiet = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
        browser = playwright.chromium.launch(executable_path=program, args=quiet)
        fine = [look(browser, path) for path in pages]
        browser.close()
    sys.exit(0 if all(fine) else 1)


main()
