<?php
// An order's own webhooks, sent by its thank-you page: soon, and never at the cost of the shop's other pages.

use PixelConnector\OrderWebhooks;

class ActionScheduler_Store {
	public const STATUS_PENDING = 'pending';
}
/** Runs an action of the queue: here always the delivery of webhook 5. */
class ActionScheduler {
	public static function runner() {
		return new class() {
			public function process_action( $id, $context ) {
				Fake::$ran[] = $id;
				( new WC_Webhook( 5 ) )->deliver( '7' );
			}
		};
	}
}
/** Two actions wait: one for each topic. */
function as_get_scheduled_actions( $query, $format ) {
	static $number = 0;
	return array( ++$number );
}
$shop = static function () {
	Fake::connect();
	new WC_Webhook( 5 );
};

return array(
	'both topics of the order leave at once' => static function () use ( $shop ) {
		$shop();
		same( 2, OrderWebhooks::deliver( 7 ) );
		same( array( 2, 15 ), array( count( Fake::$ran ), Fake::$sent[1][1] ) );
		same( array(), Fake::$hooks['woocommerce_webhook_http_args'], 'a filter was left:' );
		same( array(), Fake::$hooks['woocommerce_webhook_delivery'], 'a filter was left:' );
	},
	'a connector that does not answer is asked once by an order, and by none after three' => static function () use ( $shop ) {
		$shop();
		Fake::$arrives = false;
		same( array( 1, 1, 1, 0, 0 ), array_map( array( OrderWebhooks::class, 'deliver' ), array( 7, 8, 9, 10, 11 ) ) );
		same( 3, count( Fake::$ran ) );
	},
	'one that answers again closes the breaker' => static function () use ( $shop ) {
		$shop();
		Fake::$arrives = false;
		array_map( array( OrderWebhooks::class, 'deliver' ), array( 7, 8, 9 ) );
		Fake::$options['pixel_connector_breaker']['until'] = 0;
		Fake::$arrives = true;
		same( 2, OrderWebhooks::deliver( 10 ) );
		same( 0, PixelConnector\Breaker::read()['failures'] );
	},
	'two at once for the whole shop: the next leave theirs to the queue' => static function () use ( $shop ) {
		$shop();
		Fake::$locked = array( 'pixel_connector_beacon_1' );
		same( 2, OrderWebhooks::deliver( 7 ) );
		Fake::$locked[] = 'pixel_connector_beacon_2';
		same( 0, OrderWebhooks::deliver( 8 ) );
		same( 2, count( Fake::$ran ) );
	},
);
