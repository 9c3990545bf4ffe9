<?php
/**
 * Work that nobody waits for.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Closes a beacon's response first, then works.
 */
final class AfterResponse {

	/**
	 * Runs the work at the end of this request, after WooCommerce has filled its queue (shutdown, priority 10).
	 *
	 * @param callable $work What to do.
	 */
	public static function run( callable $work ): void {
		Guard::on( 'shutdown', array( self::class, 'close' ), 0 );
		Guard::on( 'shutdown', $work, 50 );
	}

	/**
	 * Whether this server can close a response before the request's end.
	 */
	public static function is_possible(): bool {
		return function_exists( 'fastcgi_finish_request' ) || function_exists( 'litespeed_finish_request' );
	}

	/**
	 * Sends the response. Where PHP cannot, the browser's beacon waits a little longer; no page does.
	 */
	public static function close(): void {
		if ( function_exists( 'ignore_user_abort' ) ) {
			ignore_user_abort( true );
		}
		if ( function_exists( 'fastcgi_finish_request' ) ) {
			fastcgi_finish_request();
		} elseif ( function_exists( 'litespeed_finish_request' ) ) {
			litespeed_finish_request();
		}
	}
}
