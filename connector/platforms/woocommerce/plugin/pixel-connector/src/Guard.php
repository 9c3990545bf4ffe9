<?php
/**
 * Keeps our mistakes out of the shop's pages.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Wraps callbacks so that nothing they throw reaches a page, a cart or a checkout.
 */
final class Guard {

	/**
	 * Whether this request has already logged a failure.
	 *
	 * @var bool
	 */
	private static $logged = false;

	/**
	 * The callback, with every Throwable swallowed and noted.
	 *
	 * A filter gets its first argument back when the callback failed; an action ignores it.
	 *
	 * @param callable $callback What to call.
	 * @return \Closure
	 */
	public static function wrap( callable $callback ): \Closure {
		return static function ( ...$arguments ) use ( $callback ) {
			try {
				return $callback( ...$arguments );
			} catch ( \Throwable $failure ) {
				self::note( $failure );
				return $arguments[0] ?? null;
			}
		};
	}

	/**
	 * Adds a wrapped filter or action.
	 *
	 * @param string   $hook      Hook name.
	 * @param callable $callback  What to call.
	 * @param int      $priority  Priority.
	 * @param int      $arguments Number of arguments taken.
	 */
	public static function on( string $hook, callable $callback, int $priority = 10, int $arguments = 1 ): void {
		add_filter( $hook, self::wrap( $callback ), $priority, $arguments );
	}

	/**
	 * Logs where it failed, once per request. The message itself may hold a visitor's data, so it is left out.
	 *
	 * @param \Throwable $failure What was thrown.
	 */
	public static function note( \Throwable $failure ): void {
		if ( self::$logged || ! function_exists( 'wc_get_logger' ) ) {
			return;
		}
		self::$logged = true;
		try {
			wc_get_logger()->warning(
				sprintf( '%s at %s:%d', get_class( $failure ), basename( $failure->getFile() ), $failure->getLine() ),
				array( 'source' => 'pixel-connector' )
			);
		} catch ( \Throwable $ignored ) {
			return;
		}
	}
}
