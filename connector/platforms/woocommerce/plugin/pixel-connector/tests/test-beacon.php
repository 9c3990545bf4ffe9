<?php
// The public routes: what they refuse, and what leaves after the response.

use PixelConnector\BeaconLog;
use PixelConnector\BeaconRoutes;
use PixelConnector\OrderMeta;

$id   = str_repeat( 'ab', 16 );
$mine = array( 'visitor' => str_repeat( 'cd', 16 ), 'consent' => array( 'status' => 'granted', 'at' => '2026-01-02T03:04:05Z', 'source' => 'javascript' ), 'page' => 'https://shop.example/p/?x=1&ttclid=E.C' );

/** Sends a beacon to a connected shop; the end of the request follows. */
function beacon( $fields, array $settings = array(), string $origin = 'https://shop.example' ): int {
	$_SERVER['HTTP_ORIGIN'] = $origin;
	$before                 = count( Fake::$sent );
	$text                   = is_string( $fields ) ? $fields : json_encode( $fields );
	$answer                 = ( new BeaconRoutes( Fake::connect( $settings ) ) )->beacon( new class( $text ) {
		private $text;
		public function __construct( $text ) { $this->text = $text; }
		public function get_body() { return $this->text; }
	} );
	same( $before, count( Fake::$sent ), 'something left before the response:' );
	$work                     = Fake::$hooks['shutdown'] ?? array();
	Fake::$hooks['shutdown'] = array();
	foreach ( $work as $callback ) {
		$callback();
	}
	return $answer instanceof WP_Error ? $answer->data['status'] : $answer->status;
}

return array(
	'a view leaves as its topic, with the store\'s own price and the visitor of the connection' => static function () use ( $id, $mine ) {
		new WC_Product( 18, 'HOOD', 'Hoodie', '42.50' );
		new WC_Webhook( 2 );
		same( 204, beacon( array( 'name' => 'ViewContent', 'event_id' => $id, 'product_id' => 18, 'price' => '0.01', 'ip' => '1.1.1.1' ) + $mine ) );
		list( $body, $seconds ) = Fake::$sent[0];
		same( array( $id, '42.50', '203.0.113.7', 'https://shop.example/p/?ttclid=E.C', 2 ), array( $body['event_id'], $body['item']['price'], $body['visitor']['ip'], $body['page']['url'], $seconds ) );
		same( array(), Fake::$queued );
	},
	'an unknown product leaves nothing' => static function () use ( $id, $mine ) {
		new WC_Webhook( 2 );
		same( 204, beacon( array( 'name' => 'ViewContent', 'event_id' => $id, 'product_id' => 99 ) + $mine ) );
		same( array(), Fake::$sent );
	},
	'what is refused, and that nothing follows' => static function () use ( $id, $mine ) {
		new WC_Webhook( 2 );
		$lead = array( 'name' => 'Lead', 'event_id' => $id ) + $mine;
		same( 403, beacon( $lead, array(), 'https://evil.example' ) );
		same( 413, beacon( str_repeat( ' ', 4097 ) ) );
		same( 400, beacon( '{"name":"CompletePayment"}' ) );
		same( 403, beacon( array( 'name' => 'browser_sent', 'order' => array( 'id' => 1, 'key' => 'wc_order_k' ) ) ) );
		same( array(), Fake::$sent );
		for ( $taken = 0; 204 === beacon( $lead ); $taken++ ) {
			check( $taken < 100, 'no limit' );
		}
		same( 429, beacon( $lead ) );
	},
	'three failures open the breaker, the webhook stays on, and views are dropped, not queued' => static function () use ( $id, $mine ) {
		new WC_Webhook( 2 );
		Fake::$arrives = false;
		for ( $number = 0; $number < 6; $number++ ) {
			beacon( array( 'name' => 'Lead', 'event_id' => $id ) + $mine );
		}
		same( 3, count( Fake::$sent ) );
		same( array( 3, 3 ), array( BeaconLog::totals()['failed'], BeaconLog::totals()['dropped'] ) );
		same( array(), Fake::$queued );
		for ( $number = 0; $number < 20; $number++ ) {
			Fake::$options['pixel_connector_breaker']['until'] = 0;
			Fake::$options[ BeaconLog::OPTION ]['minute']      = 0;
			beacon( array( 'name' => 'Lead', 'event_id' => $id ) + $mine );
		}
		check( empty( Fake::$webhooks[2]['disabled'] ), 'the webhook was switched off' );
		check( Fake::$webhooks[2]['failures'] <= 3, 'the queue would switch it off' );
	},
	'a choice that cannot be delivered goes by the queue' => static function () use ( $mine ) {
		new WC_Webhook( 3 );
		Fake::$arrives = false;
		same( 204, beacon( array( 'name' => 'consent_changed', 'consent' => array( 'status' => 'denied', 'at' => '2026-01-02T03:04:05Z', 'source' => 'javascript' ) ) + $mine ) );
		$queued = json_decode( Fake::$queued[0]['arg'], true );
		same( array( 3, 'denied', $mine['visitor'], null ), array( Fake::$queued[0]['webhook_id'], $queued['consent']['status'], $queued['visitor']['id'], $queued['visitor']['ip'] ) );
	},
	'a choice about nobody is told to nobody' => static function () {
		new WC_Webhook( 3 );
		same( 204, beacon( array( 'name' => 'consent_changed', 'consent' => array( 'status' => 'denied' ) ) ) );
		same( array(), Fake::$sent );
	},
	'a choice on the thank-you page names the order whose key was right' => static function () use ( $mine ) {
		new WC_Webhook( 3 );
		Fake::$orders[7] = new WC_Order( 7 );
		same( 204, beacon( array( 'name' => 'consent_changed', 'order' => array( 'id' => 7, 'key' => 'wc_order_k' ) ) + $mine ) );
		same( 7, Fake::$sent[0][0]['order_id'] );
		same( 403, beacon( array( 'name' => 'consent_changed', 'order' => array( 'id' => 7, 'key' => 'wc_order_other' ) ) + $mine ) );
		same( 1, count( Fake::$sent ) );
	},
	'the report of the browser marks the order once' => static function () {
		Fake::$orders[7] = new WC_Order( 7 );
		$report          = array( 'name' => 'browser_sent', 'order' => array( 'id' => 7, 'key' => 'wc_order_k' ) );
		same( 204, beacon( $report ) );
		same( 204, beacon( $report ) );
		same( array( '1', 1 ), array( OrderMeta::get( Fake::$orders[7], 'browser_sent' ), Fake::$orders[7]->saved ) );
	},
	'a browser that could not send says so, and takes back nothing that was sent' => static function () {
		$order  = new WC_Order( 7 );
		$report = array( 'name' => 'browser_sent', 'order' => array( 'id' => 7, 'key' => 'wc_order_k' ) );
		OrderMeta::set( $order, array( 'browser_sent' => '0' ) );
		check( null !== ( new PixelConnector\Purchase( Fake::connect() ) )->take( $order ), 'printed' );
		same( '', OrderMeta::get( $order, 'browser_sent' ), 'printed, not reported:' );
		Fake::$orders[7] = $order;
		same( 204, beacon( $report + array( 'sent' => false ) ) );
		same( array( '0', 1 ), array( OrderMeta::get( $order, 'browser_sent' ), $order->saved ) );
		same( 204, beacon( $report + array( 'sent' => true ) ) );
		same( 204, beacon( $report + array( 'sent' => false ) ) );
		same( array( '1', 2 ), array( OrderMeta::get( $order, 'browser_sent' ), $order->saved ) );
		same( 400, beacon( $report + array( 'sent' => 'no' ) ) );
	},
	'the context of a visitor' => static function () {
		Fake::$now_country = 'US';
		Fake::$user        = 7;
		$context           = ( new BeaconRoutes( Fake::connect() ) )->context();
		same( 'no-store', $context->headers['Cache-Control'] );
		same( array( 'US', false, false ), array( $context->data['country'], $context->data['consent_required'], $context->data['staff'] ) );
		same( hash( 'sha256', 'pub:customer:7' ), $context->data['customer'] );
		Fake::$now_country = 'DE';
		same( null, ( new BeaconRoutes( Fake::connect() ) )->context()->data['customer'] );
		$_SERVER['HTTP_SEC_FETCH_SITE'] = 'cross-site';
		same( 403, ( new BeaconRoutes( Fake::connect() ) )->context()->data['status'] );
	},
	'the shopper has the answer before WooCommerce fills its queue' => static function () {
		foreach ( array( array( false, array( 1 ), 'after' ), array( false, null, 'before' ), array( true, array( 1 ), 'before' ) ) as list( $cron, $waiting, $filled ) ) {
			Fake::reset();
			Fake::$cron                   = $cron;
			$GLOBALS['wc_queued_webhooks'] = $waiting;
			add_action( 'shutdown', 'wc_webhook_execute_queue' );
			( new PixelConnector\QueueAfterResponse( new PixelConnector\LateWebhooks( Fake::connect() ) ) )->register();
			do_action( 'wp_loaded' );
			do_action( 'shutdown' );
			same( $filled, Fake::$filled );
		}
	},
	'a queue that another plugin has taken over is left alone' => static function () {
		$GLOBALS['wc_queued_webhooks'] = array( 1 );
		( new PixelConnector\QueueAfterResponse( new PixelConnector\LateWebhooks( Fake::connect() ) ) )->put_off();
		do_action( 'shutdown' );
		same( array( 0, 0 ), array( Fake::$filled, Fake::$closed ) );
	},
);
