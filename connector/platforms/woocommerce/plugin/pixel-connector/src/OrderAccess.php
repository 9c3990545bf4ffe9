<?php
/**
 * Orders for those who know their key.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Finds an order by id and key.
 */
final class OrderAccess {

	/**
	 * The order, or null when there is none or the key is another's.
	 *
	 * @param int    $order_id Order id.
	 * @param string $key      Order key.
	 */
	public static function by_key( int $order_id, string $key ): ?\WC_Order {
		if ( $order_id < 1 || '' === $key ) {
			return null;
		}
		$order = wc_get_order( $order_id );
		return $order instanceof \WC_Order && hash_equals( $order->get_order_key(), $key ) ? $order : null;
	}
}
