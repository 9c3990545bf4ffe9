<?php
// An order that is paid where no shopper waits: told in that very request, after its response.

use PixelConnector\QuietOrders;

$wp_admin = static function (): void { Fake::$admin = true; };
$asked    = static function ( array $vars ): Closure { return static function () use ( $vars ) { $GLOBALS['wp']->query_vars = $vars; }; };
/** What runs when orders get their status in a request. */
$ran = static function ( Closure $where, array ...$changes ): int {
	Fake::reset();
	$where();
	new WC_Webhook( 5 );
	$connection = Fake::connect( array( 'paid_statuses' => array( 'wc-processing', 'completed' ) ) );
	foreach ( $changes as $change ) {
		QuietOrders::changed( $connection, ...$change );
	}
	same( 0, count( Fake::$ran ), 'before the response:' );
	do_action( 'shutdown' );
	return count( Fake::$ran );
};
$paid = array( 7, 'on-hold', 'processing' );

return array(
	'marked as paid in wp-admin, by a payment provider, over REST: both topics leave after the response' => static function () use ( $ran, $paid, $wp_admin, $asked ) {
		foreach ( array( $wp_admin, $asked( array( 'wc-api' => 'WC_Gateway_Some' ) ), $asked( array( 'rest_route' => '/wc/v3/orders/7' ) ), $asked( array( 'rest_route' => '/wc-some-gateway/v1/webhook' ) ) ) as $number => $where ) {
			same( array( 2, 1 ), array( $ran( $where, $paid ), Fake::$closed ), (string) $number );
		}
	},
	'a shopper\'s own request, a cron job and a shop without connection leave it to beacon and queue' => static function () use ( $ran, $paid, $asked ) {
		$cron = static function () { Fake::$cron = Fake::$admin = true; };
		foreach ( array( static function () {}, $asked( array( 'pagename' => 'checkout' ) ), $asked( array( 'rest_route' => '/wc/store/v1/checkout' ) ), $cron ) as $number => $where ) {
			same( array( 0, 0 ), array( $ran( $where, $paid ), Fake::$closed ), (string) $number );
		}
		Fake::$admin = true;
		QuietOrders::changed( new PixelConnector\Connection(), 7, 'on-hold', 'processing' );
		QuietOrders::changed( Fake::connect( array(), array( 'public_id' => '' ) ), 7, 'on-hold', 'processing' );
		same( 0, count( Fake::$hooks['shutdown'] ?? array() ) );
	},
	'only payment counts: not a later step, not a cancellation' => static function () use ( $ran, $wp_admin ) {
		same( 0, $ran( $wp_admin, array( 7, 'processing', 'completed' ), array( 8, 'on-hold', 'cancelled' ), array( 9, 'processing', 'refunded' ) ) );
	},
	'an order that changes twice is told once; of a long list five' => static function () use ( $ran, $paid, $wp_admin ) {
		same( 2, $ran( $wp_admin, $paid, array( 7, 'failed', 'completed' ) ) );
		same( 10, $ran( $wp_admin, ...array_map( static function ( $id ) { return array( $id, 'pending', 'completed' ); }, range( 1, 30 ) ) ) );
	},
	'a connector that does not answer is asked once' => static function () use ( $ran, $wp_admin ) {
		$hangs = static function () use ( $wp_admin ) { $wp_admin(); Fake::$arrives = false; };
		same( 1, $ran( $hangs, array( 7, 'pending', 'completed' ), array( 8, 'pending', 'completed' ) ) );
	},
);
