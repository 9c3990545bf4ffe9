<?php
/**
 * Tells of an order that is paid where no shopper waits.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * A bank transfer that the owner marks as paid, a payment provider's own call, an order changed over REST: no thank-you page
 * follows whose beacon would send the order's webhooks on, and on a quiet shop the queue holds them until somebody comes by.
 * So the request that paid the order does it, once its response has left.
 */
final class QuietOrders {

	private const MOST = 5; // A list of many orders is work for the queue.

	/**
	 * Ids of the orders that were paid in this request.
	 *
	 * @var int[]
	 */
	private static $paid = array();

	/**
	 * Notes an order that was paid just now.
	 *
	 * @param Connection $connection The connection.
	 * @param mixed      $order_id   Order.
	 * @param mixed      $from       Status before.
	 * @param mixed      $to         Status now.
	 */
	public static function changed( Connection $connection, $order_id, $from, $to ): void {
		$paid = $connection->paid_statuses();
		if ( ! in_array( $to, $paid, true ) || in_array( $from, $paid, true ) || ! $connection->exists() || ! self::no_shopper_waits() ) {
			return;
		}
		if ( ! self::$paid ) {
			Guard::on( 'shutdown', array( self::class, 'deliver' ), 60 ); // After WooCommerce has filled its queue (10, ours 40).
		}
		self::$paid[] = (int) $order_id;
	}

	/**
	 * Sends their webhooks on. One that does not arrive leaves the rest to the queue.
	 */
	public static function deliver(): void {
		$orders     = array_slice( array_unique( self::$paid ), 0, self::MOST );
		self::$paid = array();
		if ( ! AfterResponse::is_possible() ) {
			return;
		}
		AfterResponse::close();
		foreach ( $orders as $order_id ) {
			OrderWebhooks::deliver( $order_id );
			if ( Breaker::read()['failures'] > 0 ) {
				return;
			}
		}
	}

	/**
	 * Whether this is a request of wp-admin, of a payment provider (`wc-api`) or of a program (REST, but for the shoppers' part).
	 * A cron job runs the queue itself.
	 */
	private static function no_shopper_waits(): bool {
		if ( wp_doing_cron() ) {
			return false;
		}
		$asked = $GLOBALS['wp']->query_vars ?? array();
		$route = $asked['rest_route'] ?? '';
		return is_admin() || ! empty( $asked['wc-api'] ) || ( '' !== $route && 0 !== strpos( (string) $route, '/wc/store' ) );
	}
}
