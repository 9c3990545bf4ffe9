<?php
/**
 * Writes our order meta without waking the rest of the shop.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * The keys `_pixel_connector_*` of an order.
 */
final class OrderMeta {

	public const PREFIX = '_pixel_connector_';

	/**
	 * A value, or an empty string.
	 *
	 * @param \WC_Order $order Order.
	 * @param string    $name  Key without prefix.
	 */
	public static function get( \WC_Order $order, string $name ): string {
		$value = $order->get_meta( self::PREFIX . $name, true );
		return is_scalar( $value ) ? (string) $value : '';
	}

	/**
	 * Sets the values that differ; null removes one. Returns whether anything changed. Nothing is saved yet.
	 *
	 * @param \WC_Order $order  Order.
	 * @param array     $values Values by key without prefix.
	 */
	public static function set( \WC_Order $order, array $values ): bool {
		$changed = false;
		foreach ( $values as $name => $value ) {
			$known = self::get( $order, $name );
			if ( null === $value || '' === $value ) {
				if ( '' !== $known ) {
					$order->delete_meta_data( self::PREFIX . $name );
					$changed = true;
				}
			} elseif ( $known !== (string) $value ) {
				$order->update_meta_data( self::PREFIX . $name, (string) $value );
				$changed = true;
			}
		}
		return $changed;
	}

	/**
	 * Saves the meta rows alone: the order's own save would run every plugin's hooks and set its time of change.
	 *
	 * @param \WC_Order $order Order that is saved already.
	 */
	public static function save_quietly( \WC_Order $order ): void {
		$hook = 'woocommerce_orders_table_datastore_should_save_after_meta_change';
		add_filter( $hook, '__return_false', 999 );
		try {
			OrderMetaRows::insert( $order );
			$order->save_meta_data();
		} finally {
			remove_filter( $hook, '__return_false', 999 );
		}
	}
}
