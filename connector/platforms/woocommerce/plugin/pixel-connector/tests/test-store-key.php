<?php
// The store's REST key that the connector holds: it goes with us, and only it.

use PixelConnector\Connection;
use PixelConnector\RestApi;
use PixelConnector\StoreKey;
use PixelConnector\Uninstall;

$ask = static function ( array $fields = array() ) {
	return ( new RestApi( new Connection() ) )->disconnect( new Fake_Request( $fields ) )->data;
};

$keys = static function (): void {
	Fake::$user = 1;
	foreach ( array( 1 => array( 'ck_ours', 1 ), 2 => array( 'ck_another_apps', 1 ), 3 => array( 'ck_of_a_colleague', 2 ) ) as $id => $key ) {
		Fake::$keys[] = array( 'key_id' => $id, 'user_id' => $key[1], 'consumer_key' => wc_api_hash( $key[0] ) );
	}
};

$left = static function (): array { return array_column( Fake::$keys, 'key_id' ); };

$roads = array(
	'Basic'           => static function ( $key ) { $_SERVER['PHP_AUTH_USER'] = $key; },
	'query'           => static function ( $key ) { $_GET = array( 'consumer_key' => $key, 'consumer_secret' => 'cs_x' ); },
	'OAuth in query'  => static function ( $key ) { $_GET = array( 'oauth_consumer_key' => $key ); },
	'OAuth in header' => static function ( $key ) { $_SERVER['HTTP_AUTHORIZATION'] = 'OAuth oauth_nonce="n", oauth_consumer_key="' . $key . '", oauth_timestamp="1"'; },
);

$connection = array( 'installation_id' => 'inst_1', 'public_id' => 'pub', 'connector_url' => 'https://c.example', 'link_secret' => str_repeat( 's', 40 ) );

return array(
	'asked to, the key that the request came with is revoked, whichever way it was told' => static function () use ( $ask, $keys, $left, $roads ) {
		foreach ( $roads as $name => $road ) {
			Fake::reset();
			$keys();
			$road( 'ck_ours' );
			same( array( 'connected' => false, 'key_revoked' => true ), $ask( array( 'revoke_key' => '1' ) ), $name );
			same( array( 2, 3 ), $left(), $name );
		}
	},
	'not asked to, the key stays: who reconnects needs it' => static function () use ( $ask, $keys, $left, $roads ) {
		$keys();
		$roads['Basic']( 'ck_ours' );
		same( false, $ask()['key_revoked'] );
		same( false, $ask( array( 'revoke_key' => '0' ) )['key_revoked'] );
		same( false, $ask( array( 'revoke_key' => array( '1' ) ) )['key_revoked'] );
		same( array( 1, 2, 3 ), $left() );
	},
	'no key that did not open the request is revoked' => static function () use ( $ask, $keys, $left, $roads ) {
		$keys();
		same( false, $ask( array( 'revoke_key' => '1' ) )['key_revoked'], 'somebody signed in by cookie:' );
		foreach ( array( 'ck_of_a_colleague', 'ck_unknown', array( 'ck_ours' ) ) as $key ) {
			$roads['OAuth in query']( $key );
			same( false, $ask( array( 'revoke_key' => '1' ) )['key_revoked'], json_encode( $key ) );
		}
		$_GET = array( 'consumer_key' => 'ck_ours' );
		same( false, $ask( array( 'revoke_key' => '1' ) )['key_revoked'], 'a query without its secret:' );
		same( array( 1, 2, 3 ), $left() );
	},
	'deleting the plugin revokes the key of the last connection' => static function () use ( $keys, $left, $roads, $connection ) {
		$keys();
		$roads['Basic']( 'ck_another_apps' );
		( new RestApi( new Connection() ) )->connect( new Fake_Request( $connection ) );
		$roads['Basic']( 'ck_ours' );
		( new RestApi( new Connection() ) )->connect( new Fake_Request( $connection ) );
		$_SERVER = array();
		Uninstall::run( false );
		same( array( 2, 3 ), $left() );
		same( array(), array_keys( Fake::$options ) );
	},
	'deleting the plugin touches no key once the connection is gone, or was never there' => static function () use ( $ask, $keys, $left, $roads, $connection ) {
		$keys();
		Uninstall::run( false );
		$roads['Basic']( 'ck_ours' );
		( new RestApi( new Connection() ) )->connect( new Fake_Request( $connection ) );
		$ask();
		same( false, StoreKey::revoke_remembered() );
		same( array( 1, 2, 3 ), $left() );
	},
	'deleting the plugin removes the webhooks that go to our connector, and no other' => static function () {
		Fake::connect();
		foreach ( array( 3 => 'https://c.example/webhooks/woocommerce/i1', 4 => 'https://c.example/webhooks/woocommerce/i1', 5 => 'https://other.example/webhooks/', 6 => 'https://c.example.evil/webhooks/' ) as $id => $address ) {
			Fake::$rows[] = (object) array( 'webhook_id' => (string) $id, 'topic' => 3 === $id ? 'cart.item_added' : 'order.created', 'delivery_url' => $address );
		}
		Uninstall::run( false );
		same( array( 3, 4 ), Fake::$deleted );
		Fake::$deleted = array();
		Uninstall::run( false );
		same( array( 3 ), Fake::$deleted, 'of an unknown connector, our topics alone:' );
	},
	'the stamps of orders go only when asked for' => static function () {
		$of_orders = static function () { return array_values( array_filter( array_column( Fake::$removed, 0 ), static function ( $query ) { return false !== strpos( $query, 'meta_key LIKE' ); } ) ); };
		Uninstall::run( false );
		same( array(), $of_orders() );
		Uninstall::run( true );
		same( array( 'DELETE FROM wp_postmeta WHERE meta_key LIKE %s', 'DELETE FROM wp_wc_orders_meta WHERE meta_key LIKE %s' ), $of_orders() );
	},
	'what is remembered opens nothing' => static function () use ( $keys, $roads, $connection ) {
		$keys();
		$roads['Basic']( 'ck_ours' );
		( new RestApi( new Connection() ) )->connect( new Fake_Request( $connection ) );
		check( false === strpos( json_encode( Fake::$options ), 'ck_ours' ), 'the key itself is stored' );
	},
);
