<?php
/**
 * Puts together what the request, the consent tools and the cart session say.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Reads the visitor's choice on the server.
 */
final class ConsentReader {

	/**
	 * The visitor's choice. The pixel script's cookie outranks the session; beside the WP Consent API's own record, which has no time,
	 * a refusal by either wins.
	 *
	 * @param array $cookie Content of our cookie.
	 */
	public static function read( array $cookie ): Consent {
		$gpc    = self::privacy_control() || true === ( $cookie['gpc'] ?? false );
		$stated = new Consent( $cookie['consent'] ?? null, $cookie['at'] ?? null, $cookie['source'] ?? null, $gpc );
		if ( 'unknown' === $stated->status ) {
			$told   = SessionChoice::read();
			$stated = new Consent( $told['status'] ?? null, $told['at'] ?? null, $told['source'] ?? null, $gpc );
		}
		$recorded = self::from_consent_api();
		if ( 'unknown' === $recorded || $recorded === $stated->status || 'denied' === $stated->status ) {
			return $stated;
		}
		return new Consent( $recorded, gmdate( 'c' ), 'wp_consent_api', $gpc );
	}

	/**
	 * Whether the browser sends Global Privacy Control.
	 */
	public static function privacy_control(): bool {
		return isset( $_SERVER['HTTP_SEC_GPC'] ) && '1' === trim( sanitize_text_field( wp_unslash( $_SERVER['HTTP_SEC_GPC'] ) ) );
	}

	/**
	 * What the WP Consent API knows of the category marketing. Its answer is yes or no; that there was no choice yet
	 * shows only in its cookie.
	 */
	public static function from_consent_api(): string {
		if ( ! function_exists( 'wp_has_consent' ) ) {
			return 'unknown';
		}
		$prefix = apply_filters( 'wp_consent_cookie_prefix', 'wp_consent' );
		$name   = ( is_string( $prefix ) ? $prefix : 'wp_consent' ) . '_marketing';
		$choice = isset( $_COOKIE[ $name ] ) ? sanitize_key( wp_unslash( $_COOKIE[ $name ] ) ) : '';
		if ( 'allow' === $choice || 'deny' === $choice ) {
			return 'allow' === $choice ? 'granted' : 'denied';
		}
		$type = function_exists( 'wp_get_consent_type' ) ? wp_get_consent_type() : false;
		return false !== strpos( (string) $type, 'optin' ) && wp_has_consent( 'marketing' ) ? 'granted' : 'unknown';
	}
}
