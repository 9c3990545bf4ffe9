<?php
/**
 * Writes a whole stamp with one statement.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * WooCommerce writes an order's meta row by row, a commit each, while the shopper waits. A new stamp is a dozen rows: they go
 * in at once, all but one. That one goes WooCommerce's own way, which forgets what its caches hold of the order.
 */
final class OrderMetaRows {

	private const FEWEST = 3;

	/**
	 * Writes the values of ours that have no row yet, where the table is known. What is not written is left to WooCommerce.
	 *
	 * @param \WC_Order $order Order that is saved already.
	 */
	public static function insert( \WC_Order $order ): void {
		$table = self::table( $order );
		$new   = self::new_values( $order );
		if ( null === $table || count( $new ) < self::FEWEST ) {
			return;
		}
		array_pop( $new );
		if ( self::write( $table, $order->get_id(), $new ) ) {
			self::take_ids( $table, $order->get_id(), $new );
		}
	}

	/**
	 * Our values that only the object knows.
	 *
	 * @param \WC_Order $order Order.
	 * @return \WC_Meta_Data[] By key.
	 */
	private static function new_values( \WC_Order $order ): array {
		$new = array();
		foreach ( $order->get_meta_data() as $meta ) {
			if ( 0 === strpos( (string) $meta->key, OrderMeta::PREFIX ) && empty( $meta->id ) && is_string( $meta->value ) ) {
				$new[ $meta->key ] = $meta;
			}
		}
		return $new;
	}

	/**
	 * Table, its column of ids and of orders; null where another store of orders is in use, or two at once.
	 *
	 * @param \WC_Order $order Order.
	 */
	private static function table( \WC_Order $order ): ?array {
		global $wpdb;
		$tables = array(
			'Automattic\WooCommerce\Internal\DataStores\Orders\OrdersTableDataStore' => array( $wpdb->prefix . 'wc_orders_meta', 'id', 'order_id' ),
			'WC_Order_Data_Store_CPT' => array( $wpdb->postmeta, 'meta_id', 'post_id' ),
		);
		if ( 'yes' === get_option( 'woocommerce_custom_orders_table_data_sync_enabled', 'no' ) ) {
			return null;
		}
		return $tables[ ltrim( (string) $order->get_data_store()->get_current_class_name(), '\\' ) ] ?? null;
	}

	/**
	 * One statement for all rows; true when each was written.
	 *
	 * @param array $table    Table and columns.
	 * @param int   $order_id Order.
	 * @param array $values   Values by key.
	 */
	private static function write( array $table, int $order_id, array $values ): bool {
		global $wpdb;
		$rows = array();
		foreach ( $values as $key => $meta ) {
			array_push( $rows, $order_id, $key, $meta->value );
		}
		$places = implode( ', ', array_fill( 0, count( $values ), '(%d, %s, %s)' ) );
		// phpcs:ignore WordPress.DB.DirectDatabaseQuery.DirectQuery, WordPress.DB.DirectDatabaseQuery.NoCaching, WordPress.DB.PreparedSQL.InterpolatedNotPrepared, WordPress.DB.PreparedSQLPlaceholders.UnfinishedPrepare
		return count( $values ) === $wpdb->query( $wpdb->prepare( "INSERT INTO {$table[0]} ({$table[2]}, meta_key, meta_value) VALUES {$places}", $rows ) );
	}

	/**
	 * Tells the order's object which rows it has now, so that its next save writes none of them again.
	 *
	 * @param array $table    Table and columns.
	 * @param int   $order_id Order.
	 * @param array $values   Values by key.
	 */
	private static function take_ids( array $table, int $order_id, array $values ): void {
		global $wpdb;
		// phpcs:ignore WordPress.DB.DirectDatabaseQuery.DirectQuery, WordPress.DB.DirectDatabaseQuery.NoCaching, WordPress.DB.PreparedSQL.InterpolatedNotPrepared
		$rows = $wpdb->get_results( $wpdb->prepare( "SELECT {$table[1]} AS id, meta_key FROM {$table[0]} WHERE {$table[2]} = %d", $order_id ), ARRAY_A );
		foreach ( (array) $rows as $row ) {
			if ( isset( $values[ $row['meta_key'] ] ) ) {
				$values[ $row['meta_key'] ]->id = (int) $row['id'];
				$values[ $row['meta_key'] ]->apply_changes();
			}
		}
	}
}
