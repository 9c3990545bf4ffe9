<?php
// Bodies, items, topics, stamps, purchases.

use PixelConnector\EventBody;
use PixelConnector\CartEvents;
use PixelConnector\Handover;
use PixelConnector\Items;
use PixelConnector\OrderMeta;
use PixelConnector\OrderStamp;
use PixelConnector\Purchase;
use PixelConnector\Storefront;
use PixelConnector\Topics;
use PixelConnector\Visitor;

$visitor_cookie = array( 'visitor' => str_repeat( 'cd', 16 ), 'ttclid' => 'E.C.P.1', 'consent' => 'granted', 'at' => '2026-01-02T03:04:05Z', 'source' => 'javascript' );
$hoodie         = static function () {
	new WC_Product( 18, 'HOOD', 'Hoodie', '42.50' );
	return new WC_Product( 20, 'HOOD-M', 'Hoodie - M &amp; <b>co</b>', '42.5', 18 );
};

return array(
	'an item is the store\'s own, price as decimal text' => static function () use ( $hoodie ) {
		$hoodie();
		same( array( 'product_id' => 18, 'variation_id' => 20, 'sku' => 'HOOD-M', 'name' => 'Hoodie - M & co', 'price' => '42.50', 'currency' => 'EUR', 'quantity' => 2 ), Items::of_product( 18, 20, 2 ) );
	},
	'a variation of another product is not believed' => static function () use ( $hoodie ) {
		$hoodie();
		new WC_Product( 30, 'MUG', 'Mug', '9' );
		same( 0, Items::of_product( 30, 20 )['variation_id'] );
		same( 'MUG', Items::of_product( 30, 20 )['sku'] );
	},
	'deleted and unpublished products are no items' => static function () use ( $hoodie ) {
		same( null, Items::of_product( 99 ) );
		same( null, Items::of_product( 0 ) );
		$hoodie()->status = 'private';
		same( null, Items::of_product( 18, 20 ) );
		same( 1, count( Items::of_lines( array( array( 'product_id' => 99 ), array( 'product_id' => 18, 'quantity' => 0.5 ), array() ) ) ) );
	},
	'a product without price has none' => static function () {
		new WC_Product( 5, '', 'Free', '' );
		same( null, Items::of_product( 5 )['price'] );
	},
	'the value of items' => static function () {
		same( '31.50', Items::value( array( array( 'price' => '10.50', 'quantity' => 3 ), array( 'price' => null, 'quantity' => 1 ) ) ) );
	},
	'equal events have different bodies' => static function () {
		$visitor = new Visitor( 'required' );
		check( EventBody::text( $visitor, array() ) !== EventBody::text( $visitor, array() ), 'the queue would merge them' );
	},
	'the queue takes the longest body' => static function () use ( $visitor_cookie ) {
		$long = 'https://shop.example/' . str_repeat( 'a', 960 );
		Fake::cookie( array( 'page' => $long, 'ref' => $long, 'ttclid' => str_repeat( 'x', 600 ) ) + $visitor_cookie );
		$_SERVER['HTTP_USER_AGENT'] = str_repeat( '"', 500 );
		$item                       = array( 'product_id' => PHP_INT_MAX, 'name' => str_repeat( 'ü', 150 ), 'price' => '1.00' );
		$text                       = EventBody::text( new Visitor( 'required' ), array( 'items' => array_fill( 0, 20, $item ) ) );
		check( strlen( json_encode( array( 'webhook_id' => 99999, 'arg' => $text ) ) ) < 8000, 'too long: ' . strlen( json_encode( $text ) ) );
		$body = json_decode( $text, true );
		check( array() === array_diff( array( 'event_id', 'time', 'visitor', 'page', 'consent', 'items' ), array_keys( $body ) ), 'a part is missing' );
		same( 600, strlen( $body['visitor']['ttclid'] ) );
	},
	'topics: known, hooked, and their payload is the decoded argument' => static function () {
		$topics = new Topics();
		same( array( 'order', 'cart', 'storefront' ), $topics->resources( array( 'order' ) ) );
		check( in_array( 'standard_event', $topics->events( array() ), true ), 'standard_event' );
		same( array( 'pixel_connector_cart_item_added' ), $topics->hooks( array() )['cart.item_added'] );
		same( array( 'event_id' => 'a' ), $topics->payload( array(), 'storefront', '{"event_id":"a"}' ) );
		same( array( 'id' => 1 ), $topics->payload( array( 'id' => 1 ), 'order', 1 ) );
		same( array(), $topics->payload( array(), 'cart', 'not json' ) );
	},
	'an addition to the cart goes to the webhook, the cookie list and the AJAX answer under one id' => static function () use ( $hoodie, $visitor_cookie ) {
		$hoodie();
		Fake::cookie( $visitor_cookie );
		Fake::$options['pixel_connector_script_tags'] = array( 'tags' => array( array( 'id' => 1, 'src' => 'https://c/x.js', 'event' => 'onload' ) ), 'next' => 2 );
		$told = array();
		add_action( 'pixel_connector_cart_item_added', static function ( $text ) use ( &$told ) { $told[] = json_decode( $text, true ); } );
		$cart = new CartEvents( Fake::connect() );
		$cart->item_added( 'hash', 18, 2, 20, array(), array() );
		same( 'HOOD-M', $told[0]['item']['sku'] );
		$handed = json_decode( $cart->fragments( array() )['pixel_connector_cart'], true );
		same( $told[0]['event_id'], $handed[0]['id'] );
		same( '42.50', $handed[0]['price'] );
	},
	'an addition without permission is told without identity and leaves nothing in the browser' => static function () use ( $hoodie ) {
		$hoodie();
		Fake::$options['pixel_connector_script_tags'] = array( 'tags' => array( array( 'id' => 1, 'src' => 'https://c/x.js', 'event' => 'onload' ) ), 'next' => 2 );
		$told = array();
		add_action( 'pixel_connector_cart_item_added', static function ( $text ) use ( &$told ) { $told[] = json_decode( $text, true ); } );
		$cart = new CartEvents( Fake::connect() );
		$cart->item_added( 'hash', 18 );
		same( array( 'unknown', null, null ), array( $told[0]['consent']['status'], $told[0]['visitor']['ip'], $told[0]['visitor']['id'] ) );
		same( array( 'x' => 'y' ), $cart->fragments( array( 'x' => 'y' ) ) );
	},
	'odd additions are nothing: deleted product, part of a bundle, no connection' => static function () use ( $hoodie ) {
		$hoodie();
		$told = 0;
		add_action( 'pixel_connector_cart_item_added', static function () use ( &$told ) { ++$told; } );
		$cart = new CartEvents( Fake::connect() );
		$cart->item_added( 'hash', 999 );
		$cart->item_added( 'hash', 18, 1, 0, array(), array( 'bundled_by' => 'x' ) );
		$cart->item_added( 'hash', null, 'many', null, null, null );
		( new CartEvents( Fake::connect( array(), array( 'public_id' => '' ) ) ) )->item_added( 'hash', 18 );
		same( 0, $told );
	},
	'the handed list keeps the last five' => static function () {
		$list = array();
		foreach ( range( 1, 7 ) as $number ) {
			$list = Handover::append( $list, array( 'id' => "e{$number}" ) );
		}
		same( array( 'e3', 'e4', 'e5', 'e6', 'e7' ), array_column( $list, 'id' ) );
		$_COOKIE['pixel_connector_cart'] = addslashes( '[{"id":"a1"},{"id":"<x>"},7]' );
		same( array( array( 'id' => 'a1' ) ), Handover::waiting() );
	},
	'the stamp of an order' => static function () use ( $visitor_cookie ) {
		Fake::cookie( $visitor_cookie );
		$order = new WC_Order( 123 );
		( new OrderStamp( Fake::connect( array( 'pixel_code' => 'C1' ) ) ) )->order_saved( $order );
		same( 1, $order->quiet );
		same( 0, $order->saved );
		same( array( 'granted', '2026-01-02T03:04:05+00:00', 'javascript', '0', 'E.C.P.1', str_repeat( 'cd', 16 ), 'CompletePayment', 'C1', '0', hash( 'sha256', 'pub:order:123:wc_order_k' ) ), array_map( static function ( $name ) use ( $order ) { return OrderMeta::get( $order, $name ); }, array( 'consent', 'consent_at', 'consent_source', 'gpc', 'ttclid', 'visitor_id', 'event_name', 'pixel_code', 'browser_sent', 'event_id' ) ) );
	},
	'an unchanged stamp is not written again' => static function () use ( $visitor_cookie ) {
		Fake::cookie( $visitor_cookie );
		$order = new WC_Order( 123 );
		$stamp = new OrderStamp( Fake::connect() );
		$stamp->order_saved( $order );
		$stamp->order_saved( $order );
		same( 1, $order->quiet );
	},
	'a refusal on a draft takes the click id away; a changed setting leaves the event alone' => static function () use ( $visitor_cookie ) {
		Fake::cookie( $visitor_cookie );
		$order = new WC_Order( 123 );
		( new OrderStamp( Fake::connect( array( 'pixel_code' => 'C1' ) ) ) )->order_saved( $order );
		Fake::cookie( array( 'consent' => 'denied' ) + $visitor_cookie );
		( new OrderStamp( Fake::connect( array( 'pixel_code' => 'C2', 'purchase_event' => 'Purchase' ) ) ) )->order_saved( $order );
		same( array( 'denied', '', '', 'CompletePayment', 'C1' ), array_map( static function ( $name ) use ( $order ) { return OrderMeta::get( $order, $name ); }, array( 'consent', 'ttclid', 'visitor_id', 'event_name', 'pixel_code' ) ) );
	},
	'an order without an id, and what is no order, is left alone' => static function () {
		$order = new WC_Order( 0 );
		( new OrderStamp( Fake::connect() ) )->order_saved( $order );
		( new OrderStamp( Fake::connect() ) )->order_saved( 'no order' );
		same( array(), $order->meta );
	},
	'a purchase is due while paid, recent and not printed' => static function () {
		$now   = time();
		$rules = new Purchase( Fake::connect( array( 'paid_statuses' => array( 'wc-processing', 'completed' ) ) ) );
		$table = array( array( 'processing', 0, true ), array( 'completed', 86400, true ), array( 'completed', 86401, false ), array( 'pending', 0, false ), array( 'on-hold', 0, false ), array( 'failed', 0, false ), array( 'cancelled', 0, false ), array( 'refunded', 0, false ) );
		foreach ( $table as list( $status, $age, $due ) ) {
			$order         = new WC_Order( 1 );
			$order->status = $status;
			$order->paid   = new DateTime( '@' . ( $now - $age ) );
			same( $due, $rules->is_due( $order, $now ), "{$status} {$age}" );
		}
		$cash = new WC_Order( 1 );
		same( true, $rules->is_due( $cash, $now ) );
		$cash->created = null;
		same( false, $rules->is_due( $cash, $now ) );
	},
	'a purchase is taken once' => static function () {
		$order = new WC_Order( 1 );
		$rules = new Purchase( Fake::connect() );
		check( null !== $rules->take( $order ), 'first' );
		same( null, $rules->take( $order ), 'second' );
		same( 0, $order->saved, 'the order itself is not saved' );
	},
	'a page loaded in advance takes nothing' => static function () {
		$_SERVER['HTTP_SEC_PURPOSE'] = 'prefetch;prerender';
		$order                       = new WC_Order( 1 );
		same( null, ( new Purchase( Fake::connect() ) )->take( $order ) );
		same( array(), $order->meta );
	},
	'a purchase says what the stamp says' => static function () use ( $hoodie ) {
		$hoodie();
		$order        = new WC_Order( 7 );
		$order->items = array( new WC_Order_Item_Product( 18, 20, 2, '85.00', 'Hoodie - M' ), new WC_Order_Item_Product( 0, 0, 1, '5.00', 'Deleted' ), new WC_Order_Item_Product( 55, 0, 1, '5.00', 'Unknown' ) );
		OrderMeta::set( $order, array( 'event_id' => 'stamped', 'event_name' => 'Purchase', 'pixel_code' => 'C9' ) );
		$purchase = ( new Purchase( Fake::connect( array( 'value_basis' => 'without_tax_and_shipping' ) ) ) )->describe( $order );
		same( array( 'stamped', 'Purchase', 'C9', '7', '75.00', 'USD', 4 ), array_values( array_slice( $purchase, 0, 7 ) ) );
		same( array( 'HOOD-M', '55' ), array_column( $purchase['contents'], 'content_id' ) );
		same( '42.50', $purchase['contents'][0]['price'] );
	},
	'the printed configuration cannot end its element' => static function () {
		new WC_Product( 18, 'A</script>&\'"', 'x', '1' );
		Fake::$options['pixel_connector_script_tags'] = array( 'tags' => array( array( 'id' => 1, 'src' => 'https://c.example/x.js?a=1&b="', 'event' => 'onload' ) ), 'next' => 2 );
		ob_start();
		( new Storefront( Fake::connect() ) )->print_head();
		$html = ob_get_clean();
		same( 2, substr_count( $html, '</script>' ) );
		preg_match( '~config">(.*?)</script>~', $html, $found );
		same( 'A</script>&\'"', json_decode( $found[1], true )['product']['sku'] );
		check( false !== strpos( $html, '<script async src="https://c.example/x.js?a=1&amp;b=&quot;"' ), $html );
	},
	'a renewal keeps the choice and gets no event of its first order' => static function () {
		$copied = ( new PixelConnector\Neighbours( Fake::connect() ) )->keep_events_apart( array( '_pixel_connector_event_id' => 'a', '_pixel_connector_printed_at' => 'b', '_pixel_connector_consent' => 'granted', '_pixel_connector_ttclid' => 'c', '_other' => 'd', 5 => 'e' ) );
		same( array( '_pixel_connector_consent' => 'granted', '_other' => 'd', 5 => 'e' ), $copied );
	},
	'nothing is printed without connection or script' => static function () {
		ob_start();
		( new Storefront( Fake::connect() ) )->print_head();
		same( '', ob_get_clean() );
	},
	'a product that throws costs the product, not the script' => static function () {
		Fake::$products[18] = new class( 18, 'S', 'N', '1' ) extends WC_Product { public function get_sku() { throw new Error( 'odd product' ); } };
		same( 'other', ( new Storefront( Fake::connect() ) )->configuration()['page'] );
	},
);
