<?php
/**
 * A choice that must not be stored on the visitor's device, kept beside the store's own cart session.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Remembers, for two days, what a visitor with a cart session has told by beacon.
 */
final class SessionChoice {

	/**
	 * What was told: status, at, source; or an empty array.
	 */
	public static function read(): array {
		$name = self::name();
		$told = null === $name ? null : get_transient( $name );
		return is_array( $told ) ? $told : array();
	}

	/**
	 * Remembers a choice when there is a session to remember it by.
	 *
	 * @param Consent $consent The choice.
	 */
	public static function remember( Consent $consent ): void {
		$name = self::name();
		if ( null === $name || 'unknown' === $consent->status ) {
			return;
		}
		set_transient( $name, $consent->to_array(), 2 * DAY_IN_SECONDS );
	}

	/**
	 * Name of the record, or null without a session.
	 */
	private static function name(): ?string {
		$session = CartSession::customer_key();
		return null === $session ? null : 'pixel_connector_choice_' . substr( wp_hash( $session ), 0, 20 );
	}
}
