<?php
/**
 * Stops asking a connector that does not answer.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Opens after three failures in a row, for a minute and then twice as long each time, up to a quarter of an hour.
 */
final class Breaker {

	public const OPTION = 'pixel_connector_breaker';
	private const LIMIT = 3;

	/**
	 * Whether an event may be delivered now.
	 *
	 * @param int $now Unix seconds.
	 */
	public static function is_closed( int $now ): bool {
		return $now >= self::read()['until'];
	}

	/**
	 * Notes a delivery that arrived.
	 */
	public static function succeeded(): void {
		if ( self::read()['failures'] > 0 ) {
			delete_option( self::OPTION );
		}
	}

	/**
	 * Notes a delivery that did not arrive.
	 *
	 * @param int $now Unix seconds.
	 */
	public static function failed( int $now ): void {
		$failures = self::read()['failures'] + 1;
		$wait     = $failures < self::LIMIT ? 0 : min( 15 * MINUTE_IN_SECONDS, MINUTE_IN_SECONDS * ( 2 ** min( 10, $failures - self::LIMIT ) ) );
		update_option(
			self::OPTION,
			array(
				'failures' => $failures,
				'until'    => $now + $wait,
			),
			false
		);
	}

	/**
	 * The record: failures in a row, Unix seconds until which nothing is tried.
	 */
	public static function read(): array {
		$stored = get_option( self::OPTION, array() );
		return array(
			'failures' => (int) ( is_array( $stored ) ? ( $stored['failures'] ?? 0 ) : 0 ),
			'until'    => (int) ( is_array( $stored ) ? ( $stored['until'] ?? 0 ) : 0 ),
		);
	}
}
