<?php
/**
 * Reads all active webhooks at once.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * WooCommerce loads every active webhook on every page, a query each, and ours are nine. One query puts all of them where
 * WooCommerce looks first.
 */
final class WebhookRows {

	private const MOST = 100;

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
		$most = self::MOST;
		$rows = $wpdb->get_results( // phpcs:ignore WordPress.DB.DirectDatabaseQuery.DirectQuery, WordPress.DB.DirectDatabaseQuery.NoCaching
			$wpdb->prepare( "SELECT * FROM {$wpdb->prefix}wc_webhooks WHERE status = 'active' ORDER BY webhook_id LIMIT %d", $most ),
			ARRAY_A
		);
		foreach ( (array) $rows as $row ) {
			wp_cache_add( (int) $row['webhook_id'], $row, 'webhooks' );
		}
		return $limit;
	}
}
