<?php
/**
 * Puts the parts together.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Registers every hook. A shopper's request makes none of our calls to anybody.
 */
final class Plugin {

	private const OLDEST_WOOCOMMERCE = '8.2';

	/**
	 * Registers what must be there before WooCommerce loads its webhooks, and puts off the rest until it has loaded.
	 */
	public function register(): void {
		( new Topics() )->register();
		Guard::on( 'plugins_loaded', array( $this, 'start' ), 20 );
		Guard::on( 'init', array( $this, 'load_translations' ) );
	}

	/**
	 * Starts, where WooCommerce is there and new enough.
	 */
	public function start(): void {
		if ( ! defined( 'WC_VERSION' ) || version_compare( WC_VERSION, self::OLDEST_WOOCOMMERCE, '<' ) ) {
			Guard::on( 'admin_notices', array( $this, 'needs_woocommerce' ) );
			return;
		}
		$connection = new Connection();
		( new Storefront( $connection ) )->register();
		( new CartEvents( $connection ) )->register();
		( new OrderStamp( $connection ) )->register();
		Guard::on(
			'rest_api_init',
			static function () use ( $connection ) {
				( new RestApi( $connection ) )->register();
				( new BeaconRoutes( $connection ) )->register();
			}
		);
		Guard::on(
			'woocommerce_order_status_changed',
			static function ( $order_id, $from = '', $to = '' ) use ( $connection ) {
				QuietOrders::changed( $connection, $order_id, $from, $to );
			},
			20,
			3
		);
		( new Privacy( $connection ) )->register();
		( new Neighbours( $connection ) )->register();
		( new QueueTidying() )->register();
		( new WebhookRows() )->register();
		( new QueueAfterResponse( new LateWebhooks( $connection ) ) )->register();
		if ( is_admin() ) {
			( new AdminPage( $connection ) )->register();
			( new AdminNotices( $connection ) )->register();
		}
	}

	/**
	 * Loads our translations.
	 */
	public function load_translations(): void {
		load_plugin_textdomain( 'pixel-connector', false, dirname( plugin_basename( PIXEL_CONNECTOR_FILE ) ) . '/languages' );
	}

	/**
	 * Says what is missing.
	 */
	public function needs_woocommerce(): void {
		if ( current_user_can( 'activate_plugins' ) ) {
			/* translators: %s: version number. */
			echo '<div class="notice notice-error"><p>' . esc_html( sprintf( __( 'Pixel Connector needs WooCommerce %s or newer.', 'pixel-connector' ), self::OLDEST_WOOCOMMERCE ) ) . '</p></div>';
		}
	}
}
