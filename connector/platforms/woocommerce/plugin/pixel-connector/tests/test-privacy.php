<?php
// What a person may ask of the store: a copy of what we hold, and its end; and the text that tells of it.

use PixelConnector\OrderMeta;
use PixelConnector\Privacy;

/** The store holds some stamped orders of one person. */
$orders = static function ( int $count ): void {
	foreach ( range( 1, $count ) as $id ) {
		Fake::$orders[ $id ] = new WC_Order( $id );
		OrderMeta::set( Fake::$orders[ $id ], array( 'consent' => 'granted', 'consent_at' => '2026-01-02T03:04:05+00:00', 'gpc' => '0', 'ttclid' => 'E.C.P.x', 'ttp' => 'p', 'page_url' => 'https://shop.example/', 'visitor_id' => 'v', 'country' => 'DE', 'event_id' => 'e', 'event_name' => 'CompletePayment', 'pixel_code' => 'C1' ) );
	}
};
$connected = static function (): PixelConnector\Connection {
	Fake::$options['pixel_connector_link_secret'] = str_repeat( 's', 40 );
	return Fake::connect();
};
$answers = static function ( array $body, int $code = 200 ): void {
	Fake::$answer = array( 'response' => array( 'code' => $code ), 'body' => json_encode( $body ) );
};

return array(
	'a copy has each order\'s stamp and what the connector holds' => static function () use ( $orders, $connected, $answers ) {
		$orders( 2 );
		$answers( array( 'items' => array( array( 'group' => 'Events for TikTok', 'id' => '7', 'data' => array( array( 'name' => 'event', 'value' => '<b>CompletePayment' ) ) ) ) ) );
		$copy = ( new Privacy( $connected() ) )->export( 'bea@example.com', 1 );
		same( array( 'order-1', 'order-2', '7' ), array_column( $copy['data'], 'item_id' ) );
		same( array( 'Order', 'Your choice', 'Time of your choice', 'Global Privacy Control signal', 'Click id of a TikTok ad (ttclid)', 'TikTok\'s cookie (_ttp)', 'Page', 'Random visitor id', 'Country', 'Id of the event' ), array_column( $copy['data'][0]['data'], 'name' ) );
		same( array( 'Advertising measurement (TikTok): your orders', 'Advertising measurement (TikTok): events' ), array( $copy['data'][0]['group_label'], $copy['data'][2]['group_label'] ) );
		same( '&lt;b&gt;CompletePayment', $copy['data'][2]['data'][0]['value'] );
		same( array( 'https://c.example/privacy/export', true ), array( Fake::$sent[0][0], $copy['done'] ) );
	},
	'a connector that does not answer is told in the copy, and its end is not claimed' => static function () use ( $orders, $connected, $answers ) {
		$orders( 1 );
		$answers( array( 'message' => 'Away' ), 503 );
		$privacy = new Privacy( $connected() );
		same( array( 'order-1', 'failure' ), array_column( $privacy->export( 'bea@example.com' )['data'], 'item_id' ) );
		$end = $privacy->erase( 'bea@example.com' );
		same( array( true, true, array( 'Away' ) ), array( $end['items_removed'], $end['items_retained'], $end['messages'] ) );
	},
	'erasing leaves the record of consent and of the event, and ends at the connector' => static function () use ( $orders, $connected, $answers ) {
		$orders( 2 );
		$answers( array( 'erased' => 3, 'retained' => 0, 'messages' => array( 'Erased <i>3</i>' ) ) );
		$end = ( new Privacy( $connected() ) )->erase( 'bea@example.com' );
		same( array( 'items_removed' => true, 'items_retained' => false, 'messages' => array( 'Erased 3' ), 'done' => true ), $end );
		same( 'https://c.example/privacy/erase', Fake::$sent[0][0] );
		foreach ( Fake::$orders as $order ) {
			same( array( 'consent', 'consent_at', 'gpc', 'event_id', 'event_name', 'pixel_code' ), array_map( static function ( $key ) { return substr( $key, 17 ); }, array_keys( $order->meta ) ) );
		}
	},
	'many orders are erased page by page, and the connector is asked once, at the end' => static function () use ( $orders, $connected, $answers ) {
		$orders( 45 );
		$answers( array( 'erased' => 0, 'retained' => 0 ) );
		$privacy = new Privacy( $connected() );
		same( array( false, false, true ), array_map( static function ( $page ) use ( $privacy ) { return $privacy->erase( 'bea@example.com', $page )['done']; }, array( 1, 2, 3 ) ) );
		same( 1, count( Fake::$sent ) );
		same( array(), array_filter( Fake::$orders, static function ( $order ) { return '' !== OrderMeta::get( $order, 'ttclid' ); } ) );
	},
	'without a connection the orders alone are told and erased' => static function () use ( $orders ) {
		$orders( 1 );
		$privacy = new Privacy( new PixelConnector\Connection() );
		same( 1, count( $privacy->export( 'bea@example.com' )['data'] ) );
		same( true, $privacy->erase( 'bea@example.com' )['items_removed'] );
		same( array(), Fake::$sent );
	},
	'the policy names TikTok, the cookies and the way back' => static function () {
		( new Privacy( Fake::connect() ) )->add_policy_text();
		foreach ( array( 'TikTok', 'ttclid', '_ttp', 'pixel_connector', 'withdraw', 'Global Privacy Control', 'hashes' ) as $word ) {
			check( false !== strpos( Fake::$policy['Pixel Connector for TikTok'], $word ), $word );
		}
	},
);
