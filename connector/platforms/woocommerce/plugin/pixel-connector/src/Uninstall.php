<?php
/**
 * Cleaning up.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Removes options, transients, our webhooks, the connector's key and, when asked, our order meta.
 */
final class Uninstall {

	/**
	 * Removes everything.
	 *
	 * @param bool $with_order_meta Whether the stamps of orders go too.
	 */
	public static function run( bool $with_order_meta ): void {
		$connector = ( new Connection() )->connector_url();
		self::remove_webhooks( $connector );
		foreach ( array( Connection::OPTION, Connection::SECRET_OPTION, ScriptTags::OPTION ) as $option ) {
			delete_option( $option );
		}
		self::remove_records();
		if ( $with_order_meta ) {
			self::remove_order_meta();
		}
		StoreKey::revoke_remembered();
	}

	/**
	 * Removes what was counted, what visitors have told, and what of theirs waits to be delivered.
	 */
	public static function remove_records(): void {
		delete_option( BeaconLog::OPTION );
		delete_option( Breaker::OPTION );
		self::remove_transients();
		self::remove_queued( '%"arg":"{\\\\"event_id\\\\":%' );
	}

	/**
	 * Removes deliveries from WooCommerce's queue.
	 *
	 * @param string $arguments How their arguments look: a pattern for LIKE.
	 */
	private static function remove_queued( string $arguments ): void {
		global $wpdb;
		$quiet = $wpdb->suppress_errors( true ); // A shop may keep its queue elsewhere.
		// phpcs:ignore WordPress.DB.DirectDatabaseQuery.DirectQuery, WordPress.DB.DirectDatabaseQuery.NoCaching
		$wpdb->query(
			$wpdb->prepare(
				"DELETE FROM {$wpdb->prefix}actionscheduler_actions WHERE hook = 'woocommerce_deliver_webhook_async' AND status IN ('pending', 'complete') AND ( args LIKE %s OR extended_args LIKE %s )",
				$arguments,
				$arguments
			)
		);
		$wpdb->suppress_errors( $quiet );
	}

	/**
	 * Removes the webhooks of our topics, and those of other topics that go to our connector; never another app's.
	 *
	 * @param string $connector Address of the connector, or an empty string.
	 */
	private static function remove_webhooks( string $connector ): void {
		global $wpdb;
		$table = $wpdb->prefix . 'wc_webhooks';
		// phpcs:disable WordPress.DB.DirectDatabaseQuery.DirectQuery, WordPress.DB.DirectDatabaseQuery.NoCaching, WordPress.DB.PreparedSQL.InterpolatedNotPrepared
		if ( $wpdb->get_var( $wpdb->prepare( 'SHOW TABLES LIKE %s', $wpdb->esc_like( $table ) ) ) !== $table ) {
			return;
		}
		foreach ( $wpdb->get_results( "SELECT webhook_id, topic, delivery_url FROM {$table}" ) as $webhook ) {
			$to_us = '' !== $connector && 0 === strpos( $webhook->delivery_url, $connector . '/webhooks/' );
			if ( $to_us || ( '' === $connector && isset( Topics::HOOKS[ $webhook->topic ] ) ) ) {
				self::remove_webhook( (int) $webhook->webhook_id, $table );
			}
		}
		// phpcs:enable
	}

	/**
	 * Removes one webhook, through WooCommerce where that is loaded, so that its caches know.
	 *
	 * @param int    $id    Webhook.
	 * @param string $table Table of webhooks.
	 */
	private static function remove_webhook( int $id, string $table ): void {
		global $wpdb;
		self::remove_queued( '{"webhook\\_id":' . $id . ',%' );
		if ( class_exists( '\WC_Webhook' ) ) {
			( new \WC_Webhook( $id ) )->delete( true );
			return;
		}
		$wpdb->delete( $table, array( 'webhook_id' => $id ), array( '%d' ) ); // phpcs:ignore WordPress.DB.DirectDatabaseQuery.DirectQuery, WordPress.DB.DirectDatabaseQuery.NoCaching
		delete_transient( 'woocommerce_webhook_ids' );
		delete_transient( 'woocommerce_webhook_ids_status_active' );
	}

	/**
	 * Removes what visitors have told, and notices.
	 */
	private static function remove_transients(): void {
		global $wpdb;
		foreach ( array( '_transient_pixel_connector_', '_transient_timeout_pixel_connector_' ) as $prefix ) {
			// phpcs:ignore WordPress.DB.DirectDatabaseQuery.DirectQuery, WordPress.DB.DirectDatabaseQuery.NoCaching
			$wpdb->query( $wpdb->prepare( "DELETE FROM {$wpdb->options} WHERE option_name LIKE %s", $wpdb->esc_like( $prefix ) . '%' ) );
		}
	}

	/**
	 * Removes the stamps, from order tables and posts alike.
	 */
	private static function remove_order_meta(): void {
		global $wpdb;
		$quiet = $wpdb->suppress_errors( true ); // A shop with posts for orders may have no order tables.
		foreach ( array( $wpdb->postmeta, $wpdb->prefix . 'wc_orders_meta' ) as $table ) {
			// phpcs:ignore WordPress.DB.DirectDatabaseQuery.DirectQuery, WordPress.DB.DirectDatabaseQuery.NoCaching, WordPress.DB.PreparedSQL.InterpolatedNotPrepared
			$wpdb->query( $wpdb->prepare( "DELETE FROM {$table} WHERE meta_key LIKE %s", $wpdb->esc_like( OrderMeta::PREFIX ) . '%' ) );
		}
		$wpdb->suppress_errors( $quiet );
	}
}
