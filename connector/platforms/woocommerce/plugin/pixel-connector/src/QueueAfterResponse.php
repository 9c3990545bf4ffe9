<?php
/**
 * Fills WooCommerce's queue of webhooks after the response.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * WooCommerce writes what it will deliver into its queue at the end of the request, some twenty queries that whoever places
 * an order waits for. In a shopper's request the response is closed first, where PHP can.
 */
final class QueueAfterResponse {

	private const FILL     = 'wc_webhook_execute_queue';
	private const PRIORITY = 40; // After the session is saved (20), before a beacon's own work (50).

	/**
	 * Our webhooks that have not looked at their orders yet.
	 *
	 * @var LateWebhooks
	 */
	private $late;

	/**
	 * Takes what is done late.
	 *
	 * @param LateWebhooks $late Our webhooks.
	 */
	public function __construct( LateWebhooks $late ) {
		$this->late = $late;
	}

	/**
	 * Adds the hook: after every plugin has had its say on WooCommerce's own.
	 */
	public function register(): void {
		$this->late->register();
		Guard::on( 'wp_loaded', array( $this, 'put_off' ), 99 );
	}

	/**
	 * Moves WooCommerce's step behind the response, where it is as WooCommerce left it. Where a response cannot be closed early,
	 * our webhooks still look once only, before that step.
	 */
	public function put_off(): void {
		if ( wp_doing_cron() || ( is_admin() && ! wp_doing_ajax() ) || 10 !== has_action( 'shutdown', self::FILL ) ) {
			return;
		}
		$this->late->put_off();
		if ( ! AfterResponse::is_possible() ) {
			add_action( 'shutdown', array( $this->late, 'process' ), 5 );
			return;
		}
		remove_action( 'shutdown', self::FILL, 10 );
		// Not guarded: what WooCommerce does there is its own, its failures too.
		add_action( 'shutdown', array( $this, 'fill' ), self::PRIORITY );
	}

	/**
	 * Closes the response when something is to be queued, then lets WooCommerce queue it.
	 */
	public function fill(): void {
		if ( $this->late->is_waiting() || ! empty( $GLOBALS['wc_queued_webhooks'] ) ) {
			Guard::wrap( array( AfterResponse::class, 'close' ) )();
		}
		$this->late->process();
		call_user_func( self::FILL );
	}
}
