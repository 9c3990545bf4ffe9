<?php
// What a checkout and a page do not pay for: rows one by one, webhooks one by one, orders loaded anew.

use PixelConnector\LateWebhooks;
use PixelConnector\Lock;
use PixelConnector\OrderMetaRows;
use PixelConnector\Purchase;
use PixelConnector\QueueAfterResponse;
use PixelConnector\WebhookRows;

/** An order whose meta objects stay the same ones, as WooCommerce's do. */
$order_with = static function ( array $metas ) {
	return new class( $metas ) extends WC_Order {
		public $metas, $reread;
		public function read_meta_data() { $this->meta = $this->reread ?? $this->meta; }
		public function __construct( array $metas ) { parent::__construct( 7 ); $this->metas = $metas; }
		public function get_meta_data() { return $this->metas; }
	};
};
$stamp      = static function () {
	return array_map( static function ( $name ) { return new Meta_Fake( '_pixel_connector_' . $name, $name ); }, array( 'consent', 'gpc', 'event_name', 'event_id' ) );
};
$tables     = array(
	'Automattic\WooCommerce\Internal\DataStores\Orders\OrdersTableDataStore' => 'INSERT INTO wp_wc_orders_meta (order_id, meta_key, meta_value) VALUES (%d, %s, %s), (%d, %s, %s), (%d, %s, %s), (%d, %s, %s)',
	'WC_Order_Data_Store_CPT' => 'INSERT INTO wp_postmeta (post_id, meta_key, meta_value) VALUES (%d, %s, %s), (%d, %s, %s), (%d, %s, %s), (%d, %s, %s)',
);

return array(
	'a new stamp is one statement, and what caches hold of the order is forgotten' => static function () use ( $order_with, $stamp, $tables ) {
		foreach ( $tables as $store => $statement ) {
			Fake::reset();
			Fake::$store = $store;
			Fake::$rows  = array( array( 'id' => '31', 'meta_key' => '_pixel_connector_consent' ), array( 'id' => '32', 'meta_key' => '_pixel_connector_gpc' ), array( 'id' => '33', 'meta_key' => '_pixel_connector_event_name' ), array( 'id' => '34', 'meta_key' => '_pixel_connector_event_id' ), array( 'id' => '9', 'meta_key' => '_another' ) );
			$metas       = $stamp();
			OrderMetaRows::insert( $order_with( $metas ) );
			same( array( array( $statement, array( 7, '_pixel_connector_consent', 'consent', 7, '_pixel_connector_gpc', 'gpc', 7, '_pixel_connector_event_name', 'event_name', 7, '_pixel_connector_event_id', 'event_id' ) ) ), Fake::$written );
			same( array( 31, 32, 33, 34 ), array_column( $metas, 'id' ) );
			same( array( array( 7 ) ), Fake::$forgotten );
			same( array( 1, 1, 1, 1 ), array_column( $metas, 'applied' ) );
		}
	},
	'another store of orders, two at once, or a change of few values goes WooCommerce\'s own way' => static function () use ( $order_with, $stamp, $tables ) {
		$hpos = array_keys( $tables )[0];
		foreach ( array( array( 'Another\Store', 'no', 4 ), array( $hpos, 'yes', 4 ), array( $hpos, 'no', 2 ) ) as list( $store, $synced, $count ) ) {
			Fake::$store = $store;
			Fake::$options['woocommerce_custom_orders_table_data_sync_enabled'] = $synced;
			OrderMetaRows::insert( $order_with( array_slice( $stamp(), 0, $count ) ) );
		}
		same( array(), Fake::$written );
	},
	'rows that exist, removals and other plugins\' values are not written' => static function () use ( $order_with, $stamp, $tables ) {
		Fake::$store = array_keys( $tables )[0];
		$metas       = array_merge( $stamp(), array( new Meta_Fake( '_another', 'a' ), new Meta_Fake( '_pixel_connector_ttp', null, 4 ), new Meta_Fake( '_pixel_connector_country', 'DE', 5 ) ) );
		OrderMetaRows::insert( $order_with( $metas ) );
		same( array( '_pixel_connector_consent', '_pixel_connector_gpc', '_pixel_connector_event_name', '_pixel_connector_event_id' ), array( Fake::$written[0][1][1], Fake::$written[0][1][4], Fake::$written[0][1][7], Fake::$written[0][1][10] ) );
		same( 12, count( Fake::$written[0][1] ) );
	},
	'printing a purchase turns one row into another, once' => static function () use ( $order_with, $tables ) {
		foreach ( array_keys( $tables ) as $store ) {
			Fake::$store   = $store;
			Fake::$changed = 1;
			$metas         = array( new Meta_Fake( '_pixel_connector_consent', 'granted', 4 ), new Meta_Fake( '_pixel_connector_browser_sent', '0', 5 ) );
			check( OrderMetaRows::swap( $order_with( $metas ), 'browser_sent', '0', 'printed_at', 'now' ), $store );
			same( array( array( '_pixel_connector_consent', 'granted', 4, 0 ), array( '_pixel_connector_printed_at', 'now', 5, 1 ) ), array_map( static function ( $meta ) { return array( $meta->key, $meta->value, $meta->id, $meta->applied ); }, $metas ), 'a later save of the order may not undo it:' );
			same( array( '_pixel_connector_printed_at', 'now', 7, '_pixel_connector_browser_sent', '0' ), Fake::$written[0][1] );
			Fake::$changed = 0;
			check( ! OrderMetaRows::swap( $order_with( array() ), 'browser_sent', '0', 'printed_at', 'now' ), 'another request was first' );
			Fake::$written = array();
		}
		Fake::$store = 'Another\Store';
		check( ! OrderMetaRows::swap( $order_with( array() ), 'browser_sent', '0', 'printed_at', 'now' ), 'unknown table' );
		same( array(), Fake::$written );
	},
	'a purchase is printed at once, and noted when the page has left' => static function () use ( $order_with, $tables ) {
		Fake::$store   = array_keys( $tables )[0];
		Fake::$changed = 1;
		$order         = $order_with( array( new Meta_Fake( '_pixel_connector_browser_sent', '0', 5 ) ) );
		$order->meta   = array( '_pixel_connector_browser_sent' => '0' );
		$rules         = new Purchase( Fake::connect() );
		check( null !== $rules->take( $order ), 'printed' );
		same( array( array(), 0 ), array( Fake::$written, Fake::$closed ), 'the shopper waits for nothing:' );
		same( null, $rules->take( $order ), 'a second head of the same page' );
		do_action( 'shutdown' );
		same( array( 1, 'UPDATE' ), array( Fake::$closed, substr( Fake::$written[0][0], 0, 6 ) ) );
		same( array( '_pixel_connector_printed_at', '_pixel_connector_browser_sent', '0' ), array( Fake::$written[0][1][0], Fake::$written[0][1][3], Fake::$written[0][1][4] ) );
		check( Lock::take( 'pixel_connector_print_7' ), 'the lock is given back' );
		Lock::release( 'pixel_connector_print_7' );
	},
	'a purchase that another request prints now, or has printed since this one read the order, is not printed' => static function () use ( $order_with, $tables ) {
		Fake::$store  = array_keys( $tables )[0];
		$order        = $order_with( array() );
		$order->meta  = array( '_pixel_connector_browser_sent' => '0' );
		$rules        = new Purchase( Fake::connect() );
		Fake::$changed = 1;
		Fake::$locked  = array( 'pixel_connector_print_7' );
		same( null, $rules->take( $order ), 'while the other holds the lock:' );
		Fake::$locked  = array();
		Fake::$changed = 0;
		$order->reread = array( '_pixel_connector_printed_at' => '2026-01-01T00:00:00+00:00' );
		same( null, $rules->take( $order ), 'after the other has noted it:' );
		same( array(), Fake::$written );
	},
	'all webhooks are read at once, and the limit is passed on' => static function () {
		Fake::$rows = array( array( 'webhook_id' => '3', 'topic' => 'order.created' ), array( 'webhook_id' => '4', 'topic' => 'order.updated' ) );
		same( null, ( new WebhookRows() )->prime( null ) );
		same( 'order.updated', Fake::$options['cache webhooks 4']['topic'] );
		Fake::reset();
		Fake::$rows = array( array( 'webhook_id' => '3' ) );
		same( 0, ( new WebhookRows() )->prime( 0 ) );
		Fake::$options['lasting cache'] = true;
		same( 9, ( new WebhookRows() )->prime( 9 ) );
		check( ! isset( Fake::$options['cache webhooks 3'] ), 'read for nothing' );
	},
	'webhooks that beacons alone use are not loaded with the page' => static function () {
		$ids        = array( 3, 4, 5, 6, 7 );
		$topics     = array( 'order.created', 'cart.item_added', 'storefront.product_viewed', 'storefront.consent_changed', 'storefront.standard_event' );
		Fake::$rows = array_map( static function ( $id, $topic ) { return array( 'webhook_id' => (string) $id, 'topic' => $topic ); }, $ids, $topics );
		( new WebhookRows() )->prime( null );
		same( array( 3 ), apply_filters( 'transient_woocommerce_webhook_ids_status_active', $ids ) );
		same( $ids, apply_filters( 'transient_woocommerce_webhook_ids_status_active', $ids ), 'asked again, not by the page:' );
		( new WebhookRows() )->prime( null );
		same( false, apply_filters( 'transient_woocommerce_webhook_ids_status_active', false ) );
	},
	'the webhook of the cart is loaded when something is put in, once' => static function () {
		Fake::$rows = array( array( 'webhook_id' => '3', 'topic' => 'order.created' ), array( 'webhook_id' => '4', 'topic' => 'cart.item_added' ), array( 'webhook_id' => '5', 'topic' => 'cart.item_added' ) );
		( new WebhookRows() )->prime( null );
		same( array( 3 ), apply_filters( 'transient_woocommerce_webhook_ids_status_active', array( 3, 4 ) ) );
		new WC_Product( 18, 'SKU', 'Thing', '9.90' );
		$cart = new PixelConnector\CartEvents( Fake::connect() );
		$cart->item_added( 'key', 18 );
		$cart->item_added( 'key', 18 );
		$told = Fake::$hooks['pixel_connector_cart_item_added'];
		same( array( 1, 4 ), array( count( $told ), $told[0][0]->get_id() ), 'the fifth is not active:' );
		same( 2, count( $told[0][0]->looked ) );
	},
	'our order webhooks look once, after the response; others as ever' => static function () {
		$ours             = array( new WC_Webhook( 1 ), new WC_Webhook( 2 ) );
		$foreign          = new WC_Webhook( 3 );
		$foreign->address = 'https://c.example.evil/webhooks/x';
		$product          = new WC_Webhook( 4 );
		$product->resource = 'product';
		add_action( 'shutdown', 'wc_webhook_execute_queue' );
		( new QueueAfterResponse( new LateWebhooks( Fake::connect() ) ) )->register();
		foreach ( array_merge( $ours, array( $foreign, $product ) ) as $webhook ) {
			do_action( 'woocommerce_webhook_loaded', $webhook );
			add_action( 'woocommerce_update_order', array( $webhook, 'process' ) );
		}
		do_action( 'wp_loaded' );
		foreach ( array( 12, 12, 13 ) as $order_id ) {
			do_action( 'woocommerce_update_order', $order_id );
		}
		same( array( array(), array(), array( 12, 12, 13 ), array( 12, 12, 13 ) ), array( $ours[0]->looked, $ours[1]->looked, $foreign->looked, $product->looked ) );
		do_action( 'shutdown' );
		same( array( array( 12, 13 ), array( 12, 13 ) ), array( $ours[0]->looked, $ours[1]->looked ) );
		same( array( 1, 'after' ), array( Fake::$closed, Fake::$filled ) );
	},
	'in the background and without a connection nothing is put off' => static function () {
		foreach ( array( true, false ) as $cron ) {
			Fake::reset();
			Fake::$cron = $cron;
			$webhook    = new WC_Webhook( 1 );
			add_action( 'shutdown', 'wc_webhook_execute_queue' );
			( new QueueAfterResponse( new LateWebhooks( Fake::connect( array(), $cron ? array() : array( 'public_id' => '' ) ) ) ) )->register();
			do_action( 'woocommerce_webhook_loaded', $webhook );
			add_action( 'woocommerce_new_order', array( $webhook, 'process' ) );
			do_action( 'wp_loaded' );
			do_action( 'woocommerce_new_order', 12 );
			same( array( 12 ), $webhook->looked );
		}
	},
);
