"""A picture of a report's first screen, for the README.

PYTHONPATH=tests python benchmarks/report_picture.py results/demo/report/index.html docs/images/report.png
"""

import argparse
import base64
import io
from pathlib import Path
import tempfile

from browser import Browser, launch
from PIL import Image

_COLOURS = 192
"""Of the palette: the page has few, and text stays sharp."""


def main() -> None:
    """Open the page in a headless Chromium and write a PNG with a small palette."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--height", type=int, default=1300, help="pixels of the page that are shown, from its top")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        driver = launch(Path(scratch))
        shown = Browser(driver)
        shown.resize(1280, args.height)
        shown.open(args.page.resolve())
        shown.wait("return document.querySelector('#plot-transfer .heatmaplayer image')")
        shot = driver.execute_cdp_cmd("Page.captureScreenshot", {})["data"]
        driver.quit()
    image = Image.open(io.BytesIO(base64.b64decode(shot))).convert("RGB")
    image.quantize(_COLOURS, dither=Image.Dither.NONE).save(args.picture, optimize=True)
    print(f"{args.picture}: {image.width} x {image.height}, {args.picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
