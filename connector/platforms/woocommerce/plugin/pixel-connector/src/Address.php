<?php
/**
 * Page addresses without what they should not carry.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Reduces addresses to path, ttclid and utm parameters; compares origins.
 */
final class Address {

	private const LONGEST = 1000;

	/**
	 * Scheme, host, path, ttclid and utm_* of a web address; null for anything else.
	 *
	 * @param mixed $value Anything.
	 */
	public static function reduce( $value ): ?string {
		$base = self::without_query( $value );
		if ( null === $base ) {
			return null;
		}
		$kept = array();
		parse_str( (string) wp_parse_url( $value, PHP_URL_QUERY ), $query );
		foreach ( $query as $name => $text ) {
			if ( is_string( $text ) && '' !== $text && ( 'ttclid' === $name || 0 === strpos( (string) $name, 'utm_' ) ) ) {
				$kept[ $name ] = $text;
			}
		}
		$whole = $kept ? $base . '?' . http_build_query( $kept, '', '&', PHP_QUERY_RFC3986 ) : $base;
		return strlen( $whole ) <= self::LONGEST ? $whole : $base;
	}

	/**
	 * Scheme, host and path of a web address.
	 *
	 * @param mixed $value Anything.
	 */
	public static function without_query( $value ): ?string {
		if ( ! is_string( $value ) || strlen( $value ) > 4096 ) {
			return null;
		}
		$parts = wp_parse_url( $value );
		if ( ! is_array( $parts ) || empty( $parts['host'] ) || ! in_array( $parts['scheme'] ?? '', array( 'http', 'https' ), true ) ) {
			return null;
		}
		$port  = isset( $parts['port'] ) ? ':' . $parts['port'] : '';
		$whole = $parts['scheme'] . '://' . $parts['host'] . $port . ( $parts['path'] ?? '/' );
		$whole = preg_replace( '/[\x00-\x20"<>\x7f]/', '', $whole );
		return strlen( $whole ) <= self::LONGEST ? $whole : null;
	}

	/**
	 * Host and, where it is not the scheme's own, port: "shop.example", "shop.example:8443".
	 *
	 * @param string $address A web address or origin.
	 */
	public static function host( string $address ): string {
		$parts = wp_parse_url( $address );
		if ( ! is_array( $parts ) || empty( $parts['host'] ) ) {
			return '';
		}
		$port     = $parts['port'] ?? null;
		$standard = 'https' === ( $parts['scheme'] ?? '' ) ? 443 : 80;
		return strtolower( $parts['host'] ) . ( null === $port || $port === $standard ? '' : ':' . $port );
	}
}
