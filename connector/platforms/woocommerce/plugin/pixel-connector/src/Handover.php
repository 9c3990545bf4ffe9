<?php
/**
 * Hands ids that the store minted to the browser.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Short-lived cookies that the pixel script reads and deletes.
 */
final class Handover {

	public const CART_COOKIE         = 'pixel_connector_cart';
	public const REGISTRATION_COOKIE = 'pixel_connector_registration';

	private const SECONDS = 300;
	private const MOST    = 5;

	/**
	 * The list with one more cart addition, oldest first, at most five.
	 *
	 * @param array $entries  Earlier additions.
	 * @param array $addition The new one.
	 */
	public static function append( array $entries, array $addition ): array {
		$entries[] = $addition;
		return array_slice( $entries, -self::MOST );
	}

	/**
	 * The additions that the browser has not fetched yet.
	 */
	public static function waiting(): array {
		// A JSON document that this plugin wrote; entries without a right id are dropped.
		$text = isset( $_COOKIE[ self::CART_COOKIE ] ) ? wp_unslash( $_COOKIE[ self::CART_COOKIE ] ) : ''; // phpcs:ignore WordPress.Security.ValidatedSanitizedInput.InputNotSanitized
		$list = is_string( $text ) && strlen( $text ) < 4096 ? json_decode( $text, true, 4 ) : null;
		return array_values(
			array_filter(
				is_array( $list ) ? $list : array(),
				static function ( $entry ) {
					return is_array( $entry ) && null !== Ids::read( $entry['id'] ?? null );
				}
			)
		);
	}

	/**
	 * Sets a cookie that scripts of this shop can read. Nothing happens when the headers have left.
	 *
	 * @param string $name    Name.
	 * @param mixed  $content Content, as JSON.
	 */
	public static function set( string $name, $content ): void {
		if ( headers_sent() ) {
			return;
		}
		setcookie(
			$name,
			(string) wp_json_encode( $content ),
			array(
				'expires'  => time() + self::SECONDS,
				'path'     => '/',
				'secure'   => is_ssl(),
				'httponly' => false,
				'samesite' => 'Lax',
			)
		);
	}
}
