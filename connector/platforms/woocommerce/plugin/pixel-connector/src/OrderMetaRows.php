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
 * in at once, and what WooCommerce's caches hold of the order is forgotten, as after its own change of a row.
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
		if ( self::write( $table, $order->get_id(), $new ) ) {
			self::take_ids( $table, $order->get_id(), $new );
			self::forget( $order );
		}
	}

	/**
	 * Whether the database has such a row now. False too when the table is not known.
	 *
	 * @param \WC_Order $order Order.
	 * @param string    $name  Key without prefix.
	 * @param string    $value The value it must have.
	 */
	public static function has( \WC_Order $order, string $name, string $value ): bool {
		global $wpdb;
		$table = self::table( $order );
		if ( null === $table ) {
			return false;
		}
		// phpcs:ignore WordPress.DB.DirectDatabaseQuery.DirectQuery, WordPress.DB.DirectDatabaseQuery.NoCaching, WordPress.DB.PreparedSQL.InterpolatedNotPrepared
		return null !== $wpdb->get_var( $wpdb->prepare( "SELECT 1 FROM {$table[0]} WHERE {$table[2]} = %d AND meta_key = %s AND meta_value = %s LIMIT 1", $order->get_id(), OrderMeta::PREFIX . $name, $value ) );
	}

	/**
	 * Turns one row into another, if it is still as expected: the database decides between two requests. False when it is not, or
	 * when the table is not known.
	 *
	 * @param \WC_Order $order Order.
	 * @param string    $from  Key without prefix.
	 * @param string    $value The value it must have.
	 * @param string    $to    New key without prefix.
	 * @param string    $then  New value.
	 */
	public static function swap( \WC_Order $order, string $from, string $value, string $to, string $then ): bool {
		global $wpdb;
		$table = self::table( $order );
		if ( null === $table ) {
			return false;
		}
		$changed = $wpdb->query( // phpcs:ignore WordPress.DB.DirectDatabaseQuery.DirectQuery, WordPress.DB.DirectDatabaseQuery.NoCaching
			$wpdb->prepare(
				"UPDATE {$table[0]} SET meta_key = %s, meta_value = %s WHERE {$table[2]} = %d AND meta_key = %s AND meta_value = %s", // phpcs:ignore WordPress.DB.PreparedSQL.InterpolatedNotPrepared
				OrderMeta::PREFIX . $to,
				$then,
				$order->get_id(),
				OrderMeta::PREFIX . $from,
				$value
			)
		);
		if ( 1 !== $changed ) {
			return false;
		}
		self::forget( $order );
		self::turn( $order, OrderMeta::PREFIX . $from, OrderMeta::PREFIX . $to, $then );
		return true;
	}

	/**
	 * Does to the order in memory what was done to its row, instead of reading all its rows again.
	 *
	 * @param \WC_Order $order Order.
	 * @param string    $from  Key.
	 * @param string    $to    New key.
	 * @param string    $then  New value.
	 */
	private static function turn( \WC_Order $order, string $from, string $to, string $then ): void {
		foreach ( $order->get_meta_data() as $meta ) {
			if ( $from === $meta->key ) {
				$meta->key   = $to;
				$meta->value = $then;
				$meta->apply_changes();
			}
		}
	}

	/**
	 * Lets WooCommerce's caches forget the order, as its own change of a row does.
	 *
	 * @param \WC_Order $order Order.
	 */
	private static function forget( \WC_Order $order ): void {
		$id = $order->get_id();
		wp_cache_delete( $id, 'post_meta' );
		$order->get_data_store()->clear_cached_data( array( $id ) );
		if ( class_exists( '\Automattic\WooCommerce\Caches\OrderCache' ) && function_exists( 'wc_get_container' ) ) {
			wc_get_container()->get( \Automattic\WooCommerce\Caches\OrderCache::class )->remove( $id );
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
