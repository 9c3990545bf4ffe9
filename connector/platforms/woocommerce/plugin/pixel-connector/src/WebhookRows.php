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
 * them where WooCommerce looks first; those that only a beacon's own request delivers are not loaded at all.
 */
final class WebhookRows {

	private const MOST = 100;
	private const IDS  = 'transient_woocommerce_webhook_ids_status_active';

	/**
	 * Topics that no hook fires: `Delivery` looks their webhooks up by itself.
	 */
	private const BEACONS = array( Topics::PRODUCT_VIEWED, Topics::CONSENT_CHANGED, Topics::STANDARD_EVENT );

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
		foreach ( (array) $rows as $row ) {
			wp_cache_add( (int) $row['webhook_id'], $row, 'webhooks' );
			if ( in_array( $row['topic'] ?? '', self::BEACONS, true ) ) {
				$unused[] = (int) $row['webhook_id'];
			}
		}
		if ( $unused ) {
			self::leave_out( $unused );
		}
		return $limit;
	}

	/**
	 * Leaves webhooks out of the list that WooCommerce takes from its own cache next, and of no later one.
	 *
	 * @param int[] $unused Ids.
	 */
	private static function leave_out( array $unused ): void {
		$once = static function ( $ids ) use ( $unused, &$once ) {
			remove_filter( self::IDS, $once );
			return is_array( $ids ) ? array_values( array_diff( array_map( 'intval', $ids ), $unused ) ) : $ids;
		};
		add_filter( self::IDS, $once );
	}
}
