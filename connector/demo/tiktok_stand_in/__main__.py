"""Run the stand-in TikTok until it is interrupted."""

import argparse
import signal
import threading

from connector.demo.tiktok_stand_in.server import StandInTikTok


def main() -> None:
    """Parse the command line, serve, print the address on the first line."""
    parser = argparse.ArgumentParser(prog="python -m connector.demo.tiktok_stand_in", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument(
        "--access",
        action="append",
        default=[],
        metavar="TOKEN=PIXEL[,PIXEL]",
        help="a known access token and its pixel codes; may be repeated",
    )
    parser.add_argument("--slim", action="store_true", help="keep only what is counted (long benchmarks)")
    arguments = parser.parse_args()
    pairs = (text.partition("=") for text in arguments.access)
    tokens = {token: set(pixels.split(",")) for token, _, pixels in pairs}
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with StandInTikTok(tokens=tokens or None, port=arguments.port, slim=arguments.slim) as tiktok:
        print(f"stand-in TikTok on {tiktok.url}", flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
