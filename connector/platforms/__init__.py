"""The explicit list of store platforms. See ADDING_A_PLATFORM.md."""

from connector.platforms.base import Platform
from connector.platforms.woocommerce import WOOCOMMERCE

__all__ = ["PLATFORMS"]

PLATFORMS: dict[str, Platform] = {WOOCOMMERCE.name: WOOCOMMERCE}
