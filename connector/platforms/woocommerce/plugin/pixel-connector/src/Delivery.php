<?php
/**
 * Delivers a topic's webhooks in this very request.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * For beacons: past WooCommerce's serial queue, where a thousand views would hold up the orders behind them.
 */
final class Delivery {

	private const SECONDS = 2;

	/**
	 * Delivers an event to its topic's webhooks: arrived, failed, busy, or none when nobody listens.
	 *
	 * @param string $topic Topic.
	 * @param string $text  Body as JSON text.
	 */
	public static function now( string $topic, string $text ): string {
		$webhooks = self::webhooks( $topic );
		if ( ! $webhooks ) {
			return 'none';
		}
		$place = Breaker::is_closed( time() ) ? Places::take() : null;
		if ( null === $place ) {
			return 'busy';
		}
		try {
			$outcome = 'arrived';
			foreach ( $webhooks as $webhook ) {
				$outcome = self::deliver( $webhook, $text ) ? $outcome : 'failed';
			}
			return $outcome;
		} finally {
			Places::release( $place );
		}
	}

	/**
	 * Leaves an event to WooCommerce's own queue.
	 *
	 * @param int    $webhook_id Webhook.
	 * @param string $text       Body as JSON text.
	 */
	public static function queue( int $webhook_id, string $text ): void {
		WC()->queue()->add(
			'woocommerce_deliver_webhook_async',
			array(
				'webhook_id' => $webhook_id,
				'arg'        => $text,
			),
			'woocommerce-webhooks'
		);
	}

	/**
	 * Active webhooks of a topic, at most three.
	 *
	 * @param string $topic Topic.
	 * @return \WC_Webhook[]
	 */
	public static function webhooks( string $topic ): array {
		global $wpdb;
		// One narrow query: WooCommerce's own search loads every webhook of the shop.
		$ids = $wpdb->get_col( // phpcs:ignore WordPress.DB.DirectDatabaseQuery.DirectQuery, WordPress.DB.DirectDatabaseQuery.NoCaching
			$wpdb->prepare( "SELECT webhook_id FROM {$wpdb->prefix}wc_webhooks WHERE status = 'active' AND topic = %s ORDER BY webhook_id LIMIT 3", $topic )
		);
		return array_map(
			static function ( $id ) {
				return new \WC_Webhook( (int) $id );
			},
			(array) $ids
		);
	}

	/**
	 * One delivery; WooCommerce signs and sends it. True when it arrived.
	 *
	 * @param \WC_Webhook $webhook Webhook.
	 * @param string      $text    Body as JSON text.
	 */
	private static function deliver( \WC_Webhook $webhook, string $text ): bool {
		$arrived = false;
		$filters = array(
			'woocommerce_webhook_http_args'             => static function ( $arguments ) {
				$arguments['timeout'] = self::SECONDS;
				return $arguments;
			},
			// The breaker stands in for the count of failures that would switch the webhook off.
			'woocommerce_max_webhook_delivery_failures' => static function () {
				return PHP_INT_MAX;
			},
			'woocommerce_webhook_enable_delivery_log'   => '__return_false',
			'woocommerce_logger_log_message'            => static function ( $message, $level = '', $context = array() ) {
				return 'webhooks-delivery' === ( $context['source'] ?? '' ) ? null : $message;
			},
			'woocommerce_webhook_delivery'              => static function ( $sent, $response ) use ( &$arrived ) {
				$arrived = self::has_arrived( $response );
			},
		);
		foreach ( $filters as $hook => $filter ) {
			add_filter( $hook, $filter, 99, 3 );
		}
		try {
			$webhook->deliver( $text );
		} finally {
			foreach ( $filters as $hook => $filter ) {
				remove_filter( $hook, $filter, 99 );
			}
		}
		self::note( $webhook, $arrived );
		return $arrived;
	}

	/**
	 * Whether an answer means that a delivery arrived.
	 *
	 * @param array|\WP_Error $response Answer, as of wp_remote_request().
	 */
	public static function has_arrived( $response ): bool {
		$code = is_wp_error( $response ) ? 0 : (int) wp_remote_retrieve_response_code( $response );
		return $code >= 200 && $code < 300;
	}

	/**
	 * Tells the breaker, and keeps the webhook's own count of failures where the queue cannot trip over it.
	 *
	 * @param \WC_Webhook $webhook Webhook.
	 * @param bool        $arrived Whether the delivery arrived.
	 */
	private static function note( \WC_Webhook $webhook, bool $arrived ): void {
		if ( $arrived ) {
			Breaker::succeeded();
			return;
		}
		Breaker::failed( time() );
		if ( $webhook->get_failure_count() > 3 ) {
			$webhook->set_failure_count( 3 );
			$webhook->save();
		}
	}
}
