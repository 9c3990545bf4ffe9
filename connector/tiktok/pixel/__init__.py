"""The browser script: readable in `source/`, shipped as `pixel.min.js`, filled in by `build`."""

from connector.tiktok.pixel.build import EMPTY_SCRIPT, PixelConfig, pixel_script

__all__ = ["EMPTY_SCRIPT", "PixelConfig", "pixel_script"]
