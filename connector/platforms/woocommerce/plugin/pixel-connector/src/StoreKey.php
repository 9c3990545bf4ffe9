<?php
/**
 * The store's REST key that the connector holds.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Knows which of the store's keys is the connector's, so that it goes when we go; never another app's.
 *
 * WooCommerce keeps a key as its hash, under which it looks a caller up. What is remembered here is that hash.
 */
final class StoreKey {

	public const OPTION = 'pixel_connector_key';

	/**
	 * Remembers the key of this request as the connector's.
	 */
	public static function remember(): void {
		$key = self::of_request();
		if ( null !== $key ) {
			update_option( self::OPTION, $key->consumer_key, false );
		}
	}

	/**
	 * Revokes the very key of this request.
	 */
	public static function revoke(): bool {
		$key = self::of_request();
		return null !== $key && self::remove( array( 'key_id' => (int) $key->key_id ) );
	}

	/**
	 * Revokes the key that was remembered, when the plugin is deleted.
	 */
	public static function revoke_remembered(): bool {
		$hash = get_option( self::OPTION, '' );
		delete_option( self::OPTION );
		return is_string( $hash ) && '' !== $hash && self::remove( array( 'consumer_key' => $hash ) );
	}

	/**
	 * The key that this request was made with. One of another user did not open it: then somebody was signed in already.
	 *
	 * @return object|null key_id and consumer_key.
	 */
	private static function of_request() {
		global $wpdb;
		$told = self::told();
		if ( '' === $told || ! function_exists( 'wc_api_hash' ) ) {
			return null;
		}
		// phpcs:disable WordPress.DB.DirectDatabaseQuery.DirectQuery, WordPress.DB.DirectDatabaseQuery.NoCaching
		$key = $wpdb->get_row(
			$wpdb->prepare(
				"SELECT key_id, consumer_key FROM {$wpdb->prefix}woocommerce_api_keys WHERE consumer_key = %s AND user_id = %d",
				wc_api_hash( $told ),
				get_current_user_id()
			)
		);
		// phpcs:enable
		return is_object( $key ) ? $key : null;
	}

	/**
	 * The key as the caller tells it, looked for in WooCommerce's own order: query, Basic, OAuth in query or header.
	 */
	private static function told(): string {
		// phpcs:disable WordPress.Security.NonceVerification.Recommended, WordPress.Security.ValidatedSanitizedInput
		$header = wp_unslash( $_SERVER['HTTP_AUTHORIZATION'] ?? '' );
		$places = array(
			empty( $_GET['consumer_secret'] ) ? '' : wp_unslash( $_GET['consumer_key'] ?? '' ),
			wp_unslash( $_SERVER['PHP_AUTH_USER'] ?? '' ),
			wp_unslash( $_GET['oauth_consumer_key'] ?? '' ),
			is_string( $header ) && 1 === preg_match( '/\AOAuth\s.*?oauth_consumer_key="?([^",]+)/', $header, $found ) ? rawurldecode( $found[1] ) : '',
		);
		// phpcs:enable
		foreach ( $places as $key ) {
			if ( is_string( $key ) && '' !== $key ) {
				return $key;
			}
		}
		return '';
	}

	/**
	 * Deletes one row of the store's keys.
	 *
	 * @param array $which Column and value.
	 */
	private static function remove( array $which ): bool {
		global $wpdb;
		$quiet = $wpdb->suppress_errors( true ); // WooCommerce may be gone with its tables.
		$done  = $wpdb->delete( $wpdb->prefix . 'woocommerce_api_keys', $which ); // phpcs:ignore WordPress.DB.DirectDatabaseQuery.DirectQuery, WordPress.DB.DirectDatabaseQuery.NoCaching
		$wpdb->suppress_errors( $quiet );
		return (bool) $done;
	}
}
