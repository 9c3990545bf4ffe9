<?php
// What comes in: REST calls of the connector, beacons of browsers; limits, breaker, guard, signed calls.

use PixelConnector\BeaconInput;
use PixelConnector\BeaconLog;
use PixelConnector\Breaker;
use PixelConnector\Connection;
use PixelConnector\ConnectionInput;
use PixelConnector\ConnectorClient;
use PixelConnector\Guard;
use PixelConnector\RestApi;
use PixelConnector\ScriptTags;

final class Fake_Request implements ArrayAccess {
	private $fields;
	public function __construct( array $fields ) { $this->fields = $fields; }
	public function get_param( $name ) { return $this->fields[ $name ] ?? null; }
	public function get_json_params() { return $this->fields; }
	public function offsetExists( $name ): bool { return isset( $this->fields[ $name ] ); }
	#[\ReturnTypeWillChange]
	public function offsetGet( $name ) { return $this->fields[ $name ] ?? null; }
	public function offsetSet( $name, $value ): void {}
	public function offsetUnset( $name ): void {}
}

$connection = array( 'installation_id' => 'inst_1', 'public_id' => 'pub', 'connector_url' => 'https://c.example/', 'link_secret' => str_repeat( 's', 40 ), 'settings' => array( 'pixel_code' => 'C1', 'views_direct' => true, 'other' => 1 ) );

return array(
	'the same script twice is one tag; ids are never used again' => static function () {
		$api   = new RestApi( new Connection() );
		$first = $api->add_tag( new Fake_Request( array( 'src' => 'https://c.example/a.js', 'event' => 'onload' ) ) );
		$again = $api->add_tag( new Fake_Request( array( 'src' => 'https://c.example/a.js' ) ) );
		same( array( 201, 200 ), array( $first->status, $again->status ) );
		same( $first->data, $again->data );
		$id = $first->data['id'];
		same( 200, $api->remove_tag( new Fake_Request( array( 'id' => (string) $id ) ) )->status );
		same( 404, $api->remove_tag( new Fake_Request( array( 'id' => (string) $id ) ) )->data['status'] );
		same( $id + 1, $api->add_tag( new Fake_Request( array( 'src' => 'https://c.example/b.js' ) ) )->data['id'] );
		check( $id > 1700000000, 'a list that begins anew may use no id of the forgotten one' );
	},
	'scripts that are refused' => static function () {
		$api = new RestApi( new Connection() );
		foreach ( array( null, '', 5, array( 'https://c/x' ), 'http://c.example/a.js', 'javascript:alert(1)', '//c.example/a.js', 'https://u:p@c.example/a.js', 'https://c.example/a.js#x', 'https://c.example/"><script>', 'https://' . str_repeat( 'a', 1001 ) ) as $src ) {
			same( 400, $api->add_tag( new Fake_Request( array( 'src' => $src ) ) )->data['status'], json_encode( $src ) );
		}
		same( 400, $api->add_tag( new Fake_Request( array( 'src' => 'https://c.example/a.js', 'event' => 'onclick' ) ) )->data['status'] );
		same( array(), ( new ScriptTags() )->all() );
	},
	'only those who may manage the shop' => static function () {
		function_exists( 'rest_authorization_required_code' ) || eval( 'function rest_authorization_required_code() { return 401; }' );
		same( 401, ( new RestApi( new Connection() ) )->may_manage()->data['status'] );
		Fake::$user = 1;
		same( true, ( new RestApi( new Connection() ) )->may_manage() );
	},
	'a connection is stored and shown without its secret' => static function () use ( $connection ) {
		$api    = new RestApi( new Connection() );
		$answer = $api->connect( new Fake_Request( $connection ) );
		same( 200, $answer->status );
		same( array( 'other' ), $answer->data['ignored'] );
		same( 'https://c.example', $answer->data['connector_url'] );
		check( false === strpos( json_encode( $answer->data ), 'ssss' ), 'the secret is shown' );
		check( false === strpos( json_encode( Fake::$options[ Connection::OPTION ] ), 'ssss' ), 'the secret is in the option that every page loads' );
		same( str_repeat( 's', 40 ), ( new Connection() )->link_secret() );
	},
	'without a secret only the same installation may change its settings' => static function () use ( $connection ) {
		$api    = new RestApi( new Connection() );
		$update = array_diff_key( $connection, array( 'link_secret' => 1 ) );
		same( 400, $api->connect( new Fake_Request( $update ) )->data['status'] );
		$api->connect( new Fake_Request( $connection ) );
		same( 200, $api->connect( new Fake_Request( $update ) )->status );
		same( 400, $api->connect( new Fake_Request( array( 'installation_id' => 'other' ) + $update ) )->data['status'] );
		same( str_repeat( 's', 40 ), ( new Connection() )->link_secret() );
	},
	'connections that are refused' => static function () use ( $connection ) {
		$wrong = array(
			array( 'installation_id' => '' ), array( 'installation_id' => 'a b' ), array( 'public_id' => null ), array( 'public_id' => str_repeat( 'a', 129 ) ),
			array( 'connector_url' => 'http://c.example' ), array( 'connector_url' => 'https://u:p@c.example' ), array( 'connector_url' => 'https://c.example/?a=b' ), array( 'connector_url' => 'c.example' ), array( 'connector_url' => array() ),
			array( 'link_secret' => 'short' ), array( 'link_secret' => str_repeat( 'ü', 40 ) ), array( 'settings' => 'x' ),
			array( 'settings' => array( 'consent_policy' => 'maybe' ) ), array( 'settings' => array( 'paid_statuses' => array( 'a b' ) ) ), array( 'settings' => array( 'views_direct' => 'yes' ) ), array( 'settings' => array( 'pixel_code' => '<b>' ) ), array( 'settings' => array( 'purchase_event' => 'Lead' ) ),
		);
		foreach ( $wrong as $change ) {
			check( '' !== ( new ConnectionInput( $change + $connection ) )->error, json_encode( $change ) );
		}
		same( '', ( new ConnectionInput( array( 'connector_url' => 'http://127.0.0.1:8080' ) + $connection ) )->error );
	},
	'forgetting the connection leaves nothing of ours among the options' => static function () use ( $connection ) {
		$api = new RestApi( new Connection() );
		BeaconLog::admit( '203.0.113.7', 60 );
		$api->connect( new Fake_Request( $connection ) );
		$api->add_tag( new Fake_Request( array( 'src' => 'https://c.example/a.js' ) ) );
		$api->disconnect( new Fake_Request( array() ) );
		same( false, ( new Connection() )->exists() );
		same( '', ( new Connection() )->link_secret() );
		same( array(), ( new ScriptTags() )->all() );
		same( array(), array_keys( Fake::$options ) );
		same( array( '\_transient\_pixel\_connector\_%', '\_transient\_timeout\_pixel\_connector\_%', '%"arg":"{\\\\"event_id\\\\":%' ), array_column( Fake::$removed, 1 ), 'what visitors have told:' );
	},
	'beacons that are understood' => static function () {
		$id = str_repeat( 'ab', 16 );
		foreach ( array( '{"name":"ViewContent","event_id":"' . $id . '","product_id":18}', '{"name":"Search","event_id":"' . $id . '","search":"x"}', '{"name":"Lead","event_id":"' . $id . '"}', '{"name":"consent_changed","consent":{"status":"denied"}}', '{"name":"browser_sent","order":{"id":1,"key":"wc_order_1"}}' ) as $text ) {
			same( '', ( new BeaconInput( $text ) )->error, $text );
		}
	},
	'beacons that are refused, purchases among them' => static function () {
		$id   = str_repeat( 'ab', 16 );
		$deep = str_repeat( '[', 100 ) . str_repeat( ']', 100 );
		foreach ( array( '', 'null', '5', '[]', '{"name":5}', '{"name":"CompletePayment","event_id":"' . $id . '"}', '{"name":"Purchase","event_id":"' . $id . '"}', '{"name":"AddToCart","event_id":"' . $id . '"}', '{"name":"ViewContent","event_id":"' . $id . '"}', '{"name":"ViewContent","event_id":"short","product_id":1}', '{"name":"ViewContent","event_id":"' . $id . '","product_id":-1}', '{"name":"ViewContent","event_id":"' . $id . '","product_id":1e30}', '{"name":"Search","event_id":"' . $id . '","search":["x"]}', '{"name":"consent_changed","consent":{"status":"maybe"}}', '{"name":"browser_sent","order":{"id":1,"key":"a b"}}', '{"name":"Lead","event_id":"' . $id . '","x":' . $deep . '}', "{\"name\":\"Lead\",\"event_id\":\"\xff\"}" ) as $text ) {
			check( '' !== ( new BeaconInput( $text ) )->error, $text );
		}
	},
	'an address has its share of a minute, and a new one the next' => static function () {
		$now  = 60 * 1000;
		$take = static function ( int $count, string $ip, int $now ) {
			return array_sum( array_map( static function () use ( $ip, $now ) { return (int) BeaconLog::admit( $ip, $now ); }, range( 1, $count ) ) );
		};
		same( 60, $take( 70, '203.0.113.7', $now ) );
		same( 5, $take( 5, '203.0.113.8', $now ) );
		same( 60, $take( 70, '203.0.113.7', $now + 60 ) );
	},
	'addresses of one IPv6 network count as one, and none can be read back' => static function () {
		foreach ( range( 1, 60 ) as $number ) {
			BeaconLog::admit( "2001:db8::{$number}", 6000 );
		}
		same( false, BeaconLog::admit( '2001:db8::ffff', 6000 ) );
		same( true, BeaconLog::admit( '2001:db9::1', 6000 ) );
		check( false === strpos( json_encode( Fake::$options ), '2001' ), 'an address is stored' );
	},
	'the whole shop has a limit, so the record stays small' => static function () {
		$taken = 0;
		foreach ( range( 1, 700 ) as $number ) {
			$taken += (int) BeaconLog::admit( '10.' . intdiv( $number, 250 ) . '.0.' . ( $number % 250 ), 6000 );
		}
		same( 600, $taken );
		same( 600, count( Fake::$options[ BeaconLog::OPTION ]['hits'] ) );
	},
	'the breaker opens after three failures, waits longer each time, closes at a success' => static function () {
		Breaker::failed( 1000 );
		Breaker::failed( 1000 );
		same( true, Breaker::is_closed( 1000 ) );
		Breaker::failed( 1000 );
		same( array( false, false, true ), array( Breaker::is_closed( 1000 ), Breaker::is_closed( 1059 ), Breaker::is_closed( 1060 ) ) );
		Breaker::failed( 1060 );
		same( array( false, true ), array( Breaker::is_closed( 1179 ), Breaker::is_closed( 1180 ) ) );
		foreach ( range( 1, 40 ) as $ignored ) {
			Breaker::failed( 2000 );
		}
		same( true, Breaker::is_closed( 2900 ) );
		Breaker::succeeded();
		same( true, Breaker::is_closed( 2000 ) );
	},
	'the guard swallows everything, gives a filter its value back and logs no message' => static function () {
		$guarded = Guard::wrap( static function ( $value ) { throw new TypeError( 'secret@example.com' ); } );
		same( 'kept', $guarded( 'kept' ) );
		same( null, $guarded() );
		check( false === strpos( json_encode( Fake::$logged ), 'secret' ), 'the message is in the log' );
		same( 5, Guard::wrap( static function ( $a, $b ) { return $a + $b; } )( 2, 3 ) );
	},
	'calls to the connector are signed over timestamp and body' => static function () use ( $connection ) {
		( new RestApi( new Connection() ) )->connect( new Fake_Request( $connection ) );
		Fake::$answer = array( 'response' => array( 'code' => 201 ), 'body' => '{"token":"t"}' );
		same( array( 'token' => 't' ), ( new ConnectorClient( new Connection() ) )->post( '/owner/links', array( 'user' => 'ann' ) ) );
		list( $address, $call ) = Fake::$sent[0];
		same( 'https://c.example/owner/links', $address );
		same( '{"installation_id":"inst_1","locale":"de_DE","user":"ann"}', $call['body'] );
		same( array( 5, 0 ), array( $call['timeout'], $call['redirection'] ) );
		same( hash_hmac( 'sha256', $call['headers']['X-Pixel-Connector-Timestamp'] . $call['body'], str_repeat( 's', 40 ) ), $call['headers']['X-Pixel-Connector-Signature'] );
	},
	'other sources of a pixel are named with their pixel where it can be told' => static function () {
		Fake::$options['active_plugins']       = array( 'tiktok-for-business/tiktok-for-woocommerce.php', 'gtm-kit/gtm-kit.php', 'wp-rocket/wp-rocket.php', 'other/other.php' );
		Fake::$options['tt4b_pixel_code']      = 'C1ABCDEFGHIJKLMNOP';
		same( array( array( 'plugin' => 'tiktok-for-business', 'name' => 'TikTok', 'pixel_code' => 'C1ABCDEFGHIJKLMNOP' ), array( 'plugin' => 'gtm-kit', 'name' => 'GTM Kit (tag manager)', 'pixel_code' => null ) ), PixelConnector\Surroundings::conflicts() );
		same( array( 'WP Rocket' ), PixelConnector\Surroundings::page_caches() );
	},
	'answers of the connector that are errors' => static function () use ( $connection ) {
		$client = static function () { return ( new ConnectorClient( new Connection() ) )->post( '/x', array() ); };
		check( $client() instanceof WP_Error, 'not connected' );
		same( array(), Fake::$sent );
		( new RestApi( new Connection() ) )->connect( new Fake_Request( $connection ) );
		Fake::$answer = array( 'response' => array( 'code' => 403 ), 'body' => '{"message":"No <b>"}' );
		same( 'No', $client()->get_error_message() );
		Fake::$answer = array( 'response' => array( 'code' => 500 ), 'body' => 'garbage' );
		check( $client() instanceof WP_Error, 'garbage' );
		Fake::$answer = new WP_Error( 'http', 'cURL error 28: secret address' );
		check( false === strpos( $client()->get_error_message(), 'cURL' ), 'the transport\'s own words' );
	},
);
