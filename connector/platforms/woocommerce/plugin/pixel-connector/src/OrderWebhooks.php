<?php
/**
 * Sends an order's waiting webhooks on their way.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * WooCommerce queues an order's webhooks for the next visit of a cron job, minutes to hours away on a quiet shop. The
 * thank-you page's beacon runs those of its own order.
 */
final class OrderWebhooks {

	private const HOOK     = 'woocommerce_deliver_webhook_async';
	private const SECONDS  = 15;
	private const PATIENCE = 1; // A view is through its place in less.

	/**
	 * Delivers what waits for one order; returns how many deliveries ran. While the breaker is open, or others hold the places
	 * for simultaneous deliveries, the queue keeps them.
	 *
	 * @param int $order_id Order id.
	 */
	public static function deliver( int $order_id ): int {
		if ( ! class_exists( '\ActionScheduler' ) || ! function_exists( 'as_get_scheduled_actions' ) || ! Breaker::is_closed( time() ) ) {
			return 0;
		}
		$waiting = self::waiting( $order_id );
		$place   = $waiting ? Places::take( self::PATIENCE ) : null;
		if ( null === $place ) {
			return 0;
		}
		try {
			return self::run( $waiting );
		} finally {
			Places::release( $place );
		}
	}

	/**
	 * Runs deliveries until one does not arrive, and tells the breaker; returns how many ran.
	 *
	 * @param int[] $waiting Actions.
	 */
	private static function run( array $waiting ): int {
		$arrived = true;
		$limit   = static function ( $arguments ) {
			$arguments['timeout'] = self::SECONDS;
			return $arguments;
		};
		$note    = static function ( $sent, $response ) use ( &$arrived ) {
			$arrived = Delivery::has_arrived( $response );
			$arrived ? Breaker::succeeded() : Breaker::failed( time() );
		};
		add_filter( 'woocommerce_webhook_http_args', $limit, 99 );
		add_action( 'woocommerce_webhook_delivery', $note, 99, 2 );
		$ran = 0;
		try {
			foreach ( $waiting as $action_id ) {
				if ( ! $arrived ) {
					break;
				}
				\ActionScheduler::runner()->process_action( $action_id, 'Pixel Connector' );
				++$ran;
			}
			return $ran;
		} finally {
			remove_filter( 'woocommerce_webhook_http_args', $limit, 99 );
			remove_action( 'woocommerce_webhook_delivery', $note, 99 );
		}
	}

	/**
	 * Pending actions that would deliver this order to our connector.
	 *
	 * @param int $order_id Order id.
	 * @return int[]
	 */
	private static function waiting( int $order_id ): array {
		$found = array();
		foreach ( array( 'order.updated', 'order.created' ) as $topic ) {
			foreach ( Delivery::webhooks( $topic ) as $webhook ) {
				if ( ! self::is_ours( $webhook ) ) {
					continue;
				}
				$actions = as_get_scheduled_actions(
					array(
						'hook'     => self::HOOK,
						'args'     => array(
							'webhook_id' => $webhook->get_id(),
							'arg'        => $order_id,
						),
						'status'   => \ActionScheduler_Store::STATUS_PENDING,
						'per_page' => 1,
					),
					'ids'
				);
				$found   = array_merge( $found, array_map( 'intval', (array) $actions ) );
			}
		}
		return $found;
	}

	/**
	 * Whether a webhook goes to our connector.
	 *
	 * @param \WC_Webhook $webhook Webhook.
	 */
	private static function is_ours( \WC_Webhook $webhook ): bool {
		$connector = ( new Connection() )->connector_url();
		return '' !== $connector && Address::host( $webhook->get_delivery_url() ) === Address::host( $connector );
	}
}
