<?php
/**
 * Reads all active webhooks at once.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * WooCommerce loads every active webhook on every page, a query and an object each, and ours are nine. One query puts all of
 * them where WooCommerce looks first; those that only a beacon's own request delivers are not loaded at all, that of the cart
 * when something is put in.
 */
final class WebhookRows {

	private const MOST = 100;
	private const IDS  = 'transient_woocommerce_webhook_ids_status_active';

	/**
	 * Topics that no hook fires: `Delivery` looks their webhooks up by itself.
	 */
	private const BEACONS = array( Topics::PRODUCT_VIEWED, Topics::CONSENT_CHANGED, Topics::STANDARD_EVENT );

	/**
	 * Ids of the cart's webhooks that this request has not loaded.
	 *
	 * @var int[]
	 */
	private static $of_cart = array();

	/**
	 * Adds the hook: WooCommerce asks for this limit just before it loads them.
	 */
	public function register(): void {
		Guard::on( 'woocommerce_load_webhooks_limit', array( $this, 'prime' ) );
	}

	/**
	 * Fills WooCommerce's cache of webhooks for this request. A lasting cache of the shop has them already.
	 *
	 * @param mixed $limit How many webhooks are to be loaded, or null; passed on as it is.
	 * @return mixed
	 */
	public function prime( $limit ) {
		global $wpdb;
		if ( wp_using_ext_object_cache() || ( null !== $limit && (int) $limit < 2 ) ) {
			return $limit;
		}
		$most   = self::MOST;
		$rows   = $wpdb->get_results( // phpcs:ignore WordPress.DB.DirectDatabaseQuery.DirectQuery, WordPress.DB.DirectDatabaseQuery.NoCaching
			$wpdb->prepare( "SELECT * FROM {$wpdb->prefix}wc_webhooks WHERE status = 'active' ORDER BY webhook_id LIMIT %d", $most ),
			ARRAY_A
		);
		$unused = array();
		$cart   = array();
		foreach ( (array) $rows as $row ) {
			$id    = (int) $row['webhook_id'];
			$topic = $row['topic'] ?? '';
			wp_cache_add( $id, $row, 'webhooks' );
			if ( Topics::CART_ITEM_ADDED === $topic ) {
				$cart[] = $id;
			} elseif ( in_array( $topic, self::BEACONS, true ) ) {
				$unused[] = $id;
			}
		}
		if ( $unused || $cart ) {
			self::leave_out( $unused, $cart );
		}
		return $limit;
	}

	/**
	 * Loads the cart's webhooks as WooCommerce would have done, now that something is put in.
	 */
	public static function load_those_of_the_cart(): void {
		$ids           = self::$of_cart;
		self::$of_cart = array();
		foreach ( $ids as $id ) {
			( new \WC_Webhook( $id ) )->enqueue();
		}
	}

	/**
	 * Leaves webhooks out of the list that WooCommerce takes from its own cache next, and of no later one.
	 *
	 * @param int[] $unused Ids.
	 * @param int[] $cart   Ids of those that may be loaded later.
	 */
	private static function leave_out( array $unused, array $cart ): void {
		$once = static function ( $ids ) use ( $unused, $cart, &$once ) {
			remove_filter( self::IDS, $once );
			if ( ! is_array( $ids ) ) {
				return $ids;
			}
			$ids           = array_map( 'intval', $ids );
			self::$of_cart = array_values( array_intersect( $cart, $ids ) );
			return array_values( array_diff( $ids, $unused, $cart ) );
		};
		add_filter( self::IDS, $once );
	}
}
