<?php
/**
 * How many of the shop's processes may be busy with the connector.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Two for the whole shop: a connector that hangs must not hold the processes that the shop's pages need.
 */
final class Places {

	private const NAMES = array( 'pixel_connector_beacon_1', 'pixel_connector_beacon_2' );

	/**
	 * Takes one; null when all are taken.
	 *
	 * @param int $seconds How long to wait for the last of them.
	 */
	public static function take( int $seconds = 0 ): ?string {
		foreach ( self::NAMES as $number => $name ) {
			if ( Lock::take( $name, count( self::NAMES ) - 1 === $number ? $seconds : 0 ) ) {
				return $name;
			}
		}
		return null;
	}

	/**
	 * Gives one back.
	 *
	 * @param string $name Which.
	 */
	public static function release( string $name ): void {
		Lock::release( $name );
	}
}
