"""A stand-in WooCommerce store over a real socket, as WooCommerce 9.9.5 was recorded to behave.

    with StandInStore() as store:
        ...                          # connect to store.url; approve on its page
        store.place_order()
        store.run_queue()            # the store's queue runs when told, one delivery after another

What it leaves out: the login before the authorise page, taxes, stock, and everything a shop shows.
"""

from connector.demo.store_stand_in.server import StandInStore
from connector.demo.store_stand_in.state import StoreWebhook

__all__ = ["StandInStore", "StoreWebhook"]
