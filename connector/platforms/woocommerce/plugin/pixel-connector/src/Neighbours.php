<?php
/**
 * What other plugins must know of us.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Consent tools, script optimisers, subscriptions, and WooCommerce's own queue.
 */
final class Neighbours {

	private const QUEUE_SECONDS = 20;

	/**
	 * The connection.
	 *
	 * @var Connection
	 */
	private $connection;

	/**
	 * Takes the connection.
	 *
	 * @param Connection $connection The connection.
	 */
	public function __construct( Connection $connection ) {
		$this->connection = $connection;
	}

	/**
	 * Adds the hooks.
	 */
	public function register(): void {
		// The WP Consent API asks each plugin to say that it respects it.
		add_filter( 'wp_consent_api_registered_' . plugin_basename( PIXEL_CONNECTOR_FILE ), '__return_true' );
		Guard::on( 'init', array( $this, 'declare_cookies' ), 20 );
		Guard::on( 'wc_subscriptions_object_data', array( $this, 'keep_events_apart' ) );
		Guard::on( 'rocket_delay_js_exclusions', array( $this, 'do_not_delay' ) );
		Guard::on( 'woocommerce_webhook_http_args', array( $this, 'limit_wait' ), 20, 3 );
	}

	/**
	 * Tells consent tools which cookies there are.
	 */
	public function declare_cookies(): void {
		if ( ! function_exists( 'wp_add_cookie_info' ) || ! $this->connection->exists() ) {
			return;
		}
		$service = __( 'Pixel Connector for TikTok', 'pixel-connector' );
		wp_add_cookie_info( Visitor::COOKIE, $service, 'marketing', __( '180 days', 'pixel-connector' ), __( 'Measures advertising on TikTok.', 'pixel-connector' ), __( 'Random visitor id, click id, choice', 'pixel-connector' ) );
		wp_add_cookie_info( Handover::CART_COOKIE, $service, 'marketing', __( '5 minutes', 'pixel-connector' ), __( 'Names an addition to the cart once.', 'pixel-connector' ), __( 'Product', 'pixel-connector' ) );
		wp_add_cookie_info( Handover::REGISTRATION_COOKIE, $service, 'marketing', __( '5 minutes', 'pixel-connector' ), __( 'Names a registration once.', 'pixel-connector' ), __( 'Random id', 'pixel-connector' ) );
	}

	/**
	 * A renewal copies its first order's meta. The choice may come along, the purchase's event may not: it is another purchase.
	 *
	 * @param mixed $data Values by meta key.
	 * @return mixed
	 */
	public function keep_events_apart( $data ) {
		if ( ! is_array( $data ) ) {
			return $data;
		}
		$copied = array( 'consent', 'consent_at', 'consent_source', 'gpc' );
		foreach ( array_keys( $data ) as $key ) {
			if ( 0 === strpos( (string) $key, OrderMeta::PREFIX ) && ! in_array( substr( $key, strlen( OrderMeta::PREFIX ) ), $copied, true ) ) {
				unset( $data[ $key ] );
			}
		}
		return $data;
	}

	/**
	 * A script that waits for the first click misses the visitors who never click.
	 *
	 * @param mixed $patterns Patterns that are not delayed.
	 * @return mixed
	 */
	public function do_not_delay( $patterns ) {
		if ( is_array( $patterns ) && $this->connection->exists() ) {
			$patterns[] = '/pixel/' . $this->connection->public_id();
		}
		return $patterns;
	}

	/**
	 * A connector that hangs must not hold up the shop's queue: 20 seconds instead of 60 for its webhooks.
	 *
	 * @param mixed $arguments  Arguments of the request.
	 * @param mixed $argument   The hook's argument; not used.
	 * @param mixed $webhook_id Webhook.
	 * @return mixed
	 */
	public function limit_wait( $arguments, $argument = null, $webhook_id = 0 ) {
		if ( ! is_array( $arguments ) || ! $this->connection->exists() || (int) $webhook_id < 1 ) {
			return $arguments;
		}
		$webhook = new \WC_Webhook( (int) $webhook_id );
		if ( Address::host( $webhook->get_delivery_url() ) === Address::host( $this->connection->connector_url() ) ) {
			$arguments['timeout'] = min( self::QUEUE_SECONDS, (int) ( $arguments['timeout'] ?? self::QUEUE_SECONDS ) );
		}
		return $arguments;
	}
}
