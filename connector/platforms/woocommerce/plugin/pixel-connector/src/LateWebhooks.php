<?php
/**
 * Lets our order webhooks look at an order once, at the end of the request.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * A checkout saves its order several times, and at each save WooCommerce loads the order anew for each of our webhooks, only
 * to find that its delivery is queued already. In a shopper's request they are noted, and looked at when the page has been
 * answered. Other apps' webhooks stay as they are.
 */
final class LateWebhooks {

	private const HOOKS = array( 'woocommerce_new_order', 'woocommerce_update_order', 'woocommerce_order_refunded' );

	/**
	 * The connection.
	 *
	 * @var Connection
	 */
	private $connection;

	/**
	 * Webhooks that WooCommerce has loaded for this request and that go to our connector.
	 *
	 * @var \WC_Webhook[] By id.
	 */
	private $loaded = array();

	/**
	 * What is to be looked at: webhook and argument, each once.
	 *
	 * @var array[]
	 */
	private $noted = array();

	/**
	 * Takes the connection.
	 *
	 * @param Connection $connection The connection.
	 */
	public function __construct( Connection $connection ) {
		$this->connection = $connection;
	}

	/**
	 * Adds the hook: webhooks are loaded between now and `put_off`.
	 */
	public function register(): void {
		Guard::on( 'woocommerce_webhook_loaded', array( $this, 'collect' ) );
	}

	/**
	 * Keeps a loaded webhook of ours in mind.
	 *
	 * @param mixed $webhook Webhook.
	 */
	public function collect( $webhook ): void {
		if ( ! $webhook instanceof \WC_Webhook || 'order' !== $webhook->get_resource() || ! $this->connection->exists() ) {
			return;
		}
		if ( 0 === strpos( $webhook->get_delivery_url(), $this->connection->connector_url() . '/webhooks/' ) ) {
			$this->loaded[ $webhook->get_id() ] = $webhook;
		}
	}

	/**
	 * From now on they are noted only, where WooCommerce's own hooks are as WooCommerce left them.
	 */
	public function put_off(): void {
		foreach ( $this->loaded as $webhook ) {
			foreach ( self::HOOKS as $hook ) {
				if ( 10 === has_action( $hook, array( $webhook, 'process' ) ) ) {
					remove_action( $hook, array( $webhook, 'process' ) );
					add_action( $hook, $this->note_for( $webhook ) );
				}
			}
		}
		$this->loaded = array();
	}

	/**
	 * Whether anything was noted.
	 */
	public function is_waiting(): bool {
		return array() !== $this->noted;
	}

	/**
	 * Lets each webhook look, and queue what it delivers.
	 */
	public function process(): void {
		$noted       = $this->noted;
		$this->noted = array();
		foreach ( $noted as $each ) {
			Guard::wrap( array( $each[0], 'process' ) )( $each[1] );
		}
	}

	/**
	 * A callback that notes its argument for a webhook.
	 *
	 * @param \WC_Webhook $webhook Webhook.
	 */
	private function note_for( \WC_Webhook $webhook ): \Closure {
		return function ( $order_id ) use ( $webhook ) {
			if ( is_scalar( $order_id ) ) {
				$this->noted[ $webhook->get_id() . ' ' . $order_id ] = array( $webhook, $order_id );
			}
		};
	}
}
