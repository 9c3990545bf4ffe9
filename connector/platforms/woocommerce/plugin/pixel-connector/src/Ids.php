<?php
/**
 * Ids that the plugin and the connector compute alike.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Lower-case hex SHA-256 over the fields joined by colons, or 128 random bits.
 */
final class Ids {

	/**
	 * Event id of an order's purchase.
	 *
	 * @param string $public_id Public id of the installation.
	 * @param int    $order_id  Order id.
	 * @param string $order_key Order key; makes the id unguessable.
	 */
	public static function purchase( string $public_id, int $order_id, string $order_key ): string {
		return hash( 'sha256', "{$public_id}:order:{$order_id}:{$order_key}" );
	}

	/**
	 * Event id of a customer's registration.
	 *
	 * @param string $public_id   Public id of the installation.
	 * @param int    $customer_id Customer id.
	 */
	public static function registration( string $public_id, int $customer_id ): string {
		return hash( 'sha256', "{$public_id}:registration:{$customer_id}" );
	}

	/**
	 * External id of a customer.
	 *
	 * @param string $public_id   Public id of the installation.
	 * @param int    $customer_id Customer id.
	 */
	public static function customer( string $public_id, int $customer_id ): string {
		return hash( 'sha256', "{$public_id}:customer:{$customer_id}" );
	}

	/**
	 * A new event id: 32 lower-case hex digits.
	 */
	public static function mint(): string {
		return bin2hex( random_bytes( 16 ) );
	}

	/**
	 * The value when it has the form of an event id or visitor id.
	 *
	 * @param mixed $value Anything.
	 */
	public static function read( $value ): ?string {
		return is_string( $value ) && 1 === preg_match( '/\A[A-Za-z0-9._-]{1,128}\z/', $value ) ? $value : null;
	}
}
