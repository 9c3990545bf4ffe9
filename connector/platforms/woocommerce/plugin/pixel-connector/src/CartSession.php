<?php
/**
 * Looks into WooCommerce's session without starting or writing one.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Reads the session of the request's cookie. A loaded session would be written back at the end of the request, over what
 * a simultaneous request of the same shopper has put in; so a beacon only ever reads.
 */
final class CartSession {

	/**
	 * The session's key, or null when the request has no valid session cookie.
	 */
	public static function customer_key(): ?string {
		$handler = self::handler();
		if ( null === $handler ) {
			return null;
		}
		$cookie = $handler->get_session_cookie();
		return is_array( $cookie ) && ! empty( $cookie[0] ) ? (string) $cookie[0] : null;
	}

	/**
	 * The lines of the shopper's cart: product_id, variation_id, quantity each.
	 */
	public static function lines(): array {
		$handler = self::handler();
		$key     = self::customer_key();
		if ( null === $handler || null === $key ) {
			return array();
		}
		$session = $handler->get_session( $key, array() );
		$cart    = is_array( $session ) ? maybe_unserialize( $session['cart'] ?? array() ) : array();
		return is_array( $cart ) ? array_values( array_filter( $cart, 'is_array' ) ) : array();
	}

	/**
	 * A session handler that has read nothing yet, or null when the store has another kind.
	 */
	private static function handler() {
		$class = apply_filters( 'woocommerce_session_handler', 'WC_Session_Handler' );
		if ( ! is_string( $class ) || ! class_exists( $class ) || ! method_exists( $class, 'get_session_cookie' ) ) {
			return null;
		}
		if ( ! method_exists( $class, 'get_session' ) ) {
			return null;
		}
		return new $class();
	}
}
