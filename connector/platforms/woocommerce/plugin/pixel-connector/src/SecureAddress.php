<?php
/**
 * Which addresses may carry a script or a secret.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Https everywhere; plain http only to this very machine, for development.
 */
final class SecureAddress {

	/**
	 * Whether a parsed address is good enough.
	 *
	 * @param array $parts As of wp_parse_url().
	 */
	public static function is_acceptable( array $parts ): bool {
		if ( empty( $parts['host'] ) || isset( $parts['user'] ) || isset( $parts['pass'] ) ) {
			return false;
		}
		$scheme = strtolower( $parts['scheme'] ?? '' );
		$local  = in_array( strtolower( $parts['host'] ), array( 'localhost', '127.0.0.1', '[::1]' ), true );
		return 'https' === $scheme || ( 'http' === $scheme && $local );
	}
}
