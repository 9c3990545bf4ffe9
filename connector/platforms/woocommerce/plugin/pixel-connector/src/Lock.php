<?php
/**
 * Locks that the database holds.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Named locks of the database connection: atomic between PHP processes, and gone when the process dies.
 */
final class Lock {

	/**
	 * Names that this request holds: the database would give them to it twice.
	 *
	 * @var true[]
	 */
	private static $held = array();

	/**
	 * Takes a lock. A database that has no such locks refuses no other request.
	 *
	 * @param string $name    Name.
	 * @param int    $seconds How long to wait for it.
	 */
	public static function take( string $name, int $seconds = 0 ): bool {
		global $wpdb;
		if ( isset( self::$held[ $name ] ) ) {
			return false;
		}
		// phpcs:ignore WordPress.DB.DirectDatabaseQuery.DirectQuery, WordPress.DB.DirectDatabaseQuery.NoCaching
		$answer = $wpdb->get_var( $wpdb->prepare( 'SELECT GET_LOCK(%s, %d)', self::full_name( $name ), $seconds ) );
		if ( '0' === (string) $answer ) {
			return false;
		}
		self::$held[ $name ] = true;
		return true;
	}

	/**
	 * Gives a lock back.
	 *
	 * @param string $name Name.
	 */
	public static function release( string $name ): void {
		global $wpdb;
		unset( self::$held[ $name ] );
		// phpcs:ignore WordPress.DB.DirectDatabaseQuery.DirectQuery, WordPress.DB.DirectDatabaseQuery.NoCaching
		$wpdb->query( $wpdb->prepare( 'SELECT RELEASE_LOCK(%s)', self::full_name( $name ) ) );
	}

	/**
	 * Locks are shared by all shops of a database server and at most 64 characters long.
	 *
	 * @param string $name Name.
	 */
	private static function full_name( string $name ): string {
		global $wpdb;
		return substr( md5( DB_NAME . $wpdb->prefix ), 0, 12 ) . $name;
	}
}
