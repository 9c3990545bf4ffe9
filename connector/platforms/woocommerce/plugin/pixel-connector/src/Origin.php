<?php
/**
 * Whether a public request comes from a page of this shop.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Compares the browser's own statement of origin with the shop's host.
 */
final class Origin {

	/**
	 * For requests that change something: Origin (else Referer) must name this shop.
	 *
	 * @param array $server The request's server variables.
	 */
	public static function is_ours( array $server ): bool {
		$stated = self::text( $server, 'HTTP_ORIGIN' );
		$stated = '' === $stated ? self::text( $server, 'HTTP_REFERER' ) : $stated;
		return '' !== $stated && in_array( Address::host( $stated ), self::hosts( $server ), true );
	}

	/**
	 * For reading: browsers send no Origin on a GET of the same origin, so only a foreign statement refuses.
	 *
	 * @param array $server The request's server variables.
	 */
	public static function may_read( array $server ): bool {
		$site = self::text( $server, 'HTTP_SEC_FETCH_SITE' );
		if ( '' !== $site && 'same-origin' !== $site && 'none' !== $site ) {
			return false;
		}
		foreach ( array( 'HTTP_ORIGIN', 'HTTP_REFERER' ) as $name ) {
			$stated = self::text( $server, $name );
			if ( '' !== $stated && ! in_array( Address::host( $stated ), self::hosts( $server ), true ) ) {
				return false;
			}
		}
		return true;
	}

	/**
	 * The hosts of this shop: its home address, and the host that this request was sent to.
	 *
	 * @param array $server The request's server variables.
	 */
	private static function hosts( array $server ): array {
		$scheme  = is_ssl() ? 'https://' : 'http://';
		$request = Address::host( $scheme . self::text( $server, 'HTTP_HOST' ) );
		return array_values( array_filter( array( Address::host( home_url() ), Address::host( site_url() ), $request ) ) );
	}

	/**
	 * A server variable as text.
	 *
	 * @param array  $server The request's server variables.
	 * @param string $name   Which.
	 */
	private static function text( array $server, string $name ): string {
		return isset( $server[ $name ] ) && is_string( $server[ $name ] ) ? trim( sanitize_text_field( wp_unslash( $server[ $name ] ) ) ) : '';
	}
}
