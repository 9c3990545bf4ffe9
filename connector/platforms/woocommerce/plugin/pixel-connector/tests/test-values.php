<?php
// Ids, addresses, regions, consent, visitors: pure values.

use PixelConnector\Address;
use PixelConnector\Consent;
use PixelConnector\ConsentReader;
use PixelConnector\Ids;
use PixelConnector\Origin;
use PixelConnector\Region;
use PixelConnector\Visitor;

$granted = array( 'v' => 1, 'visitor' => str_repeat( 'ab', 16 ), 'ttclid' => 'E.C.P.x-1_2', 'ttp' => '01HZY4fXq2abcDEF0123456789a', 'page' => 'https://shop.example/p/?ttclid=E.C&key=secret', 'ref' => 'https://www.tiktok.com/a?b=c', 'consent' => 'granted', 'at' => '2026-01-02T03:04:05Z', 'source' => 'wp_consent_api', 'gpc' => false );

return array(
	'ids are the SHA-256 of the contract' => static function () {
		same( hash( 'sha256', 'PUB:order:123:wc_order_abc' ), Ids::purchase( 'PUB', 123, 'wc_order_abc' ) );
		same( hash( 'sha256', 'PUB:registration:5' ), Ids::registration( 'PUB', 5 ) );
		same( hash( 'sha256', 'PUB:customer:5' ), Ids::customer( 'PUB', 5 ) );
	},
	'minted ids are 32 hex digits and never the same' => static function () {
		$many = array_map( array( Ids::class, 'mint' ), range( 1, 200 ) );
		same( 200, count( array_unique( $many ) ) );
		same( 200, count( preg_grep( '/\A[0-9a-f]{32}\z/', $many ) ) );
	},
	'addresses keep path, ttclid and utm only' => static function () {
		same( 'https://shop.example/a/b?ttclid=E.C.P&utm_source=tik%20tok', Address::reduce( 'https://shop.example/a/b?key=wc_order_1&ttclid=E.C.P&utm_source=tik+tok&email=a%40b.c#frag' ) );
		same( 'https://shop.example:8443/', Address::reduce( 'https://user:pw@shop.example:8443/' ) );
		same( 'https://shop.example/', Address::reduce( 'https://shop.example' ) );
		same( 'https://shop.example/x', Address::reduce( 'https://shop.example/x?utm_source[]=a&ttclid=' ) );
	},
	'addresses that are none give null' => static function () {
		foreach ( array( null, 5, '', 'x', 'javascript:alert(1)', '//shop.example/', 'ftp://a/b', array( 'a' ), 'https://' . str_repeat( 'a', 5000 ) ) as $value ) {
			same( null, Address::reduce( $value ) );
		}
	},
	'hosts compare with their port' => static function () {
		same( 'shop.example', Address::host( 'https://SHOP.example:443/x' ) );
		same( 'shop.example:8443', Address::host( 'https://shop.example:8443' ) );
		same( 'shop.example', Address::host( 'http://shop.example:80' ) );
		same( '', Address::host( 'null' ) );
	},
	'policies by country' => static function () {
		$table = array( array( 'required', 'US', true ), array( 'opt_out', 'DE', false ), array( 'by_region', 'DE', true ), array( 'by_region', 'CH', true ), array( 'by_region', 'GB', true ), array( 'by_region', 'NO', true ), array( 'by_region', 'US', false ), array( 'by_region', null, true ), array( 'nonsense', 'US', true ) );
		foreach ( $table as list( $policy, $country, $required ) ) {
			same( $required, Region::requires_consent( $policy, $country ), "{$policy} {$country}" );
		}
	},
	'consent allows' => static function () {
		$table = array( array( 'granted', false, true, true ), array( 'granted', true, true, false ), array( 'granted', true, false, true ), array( 'denied', false, false, false ), array( 'unknown', false, true, false ), array( 'unknown', false, false, true ), array( 'unknown', true, false, true ) );
		foreach ( $table as list( $status, $gpc, $required, $allowed ) ) {
			same( $allowed, ( new Consent( $status, null, null, $gpc ) )->allows( $required ), "{$status} {$gpc} {$required}" );
		}
	},
	'consent of the wrong form is unknown, its time is UTC and never in the future' => static function () {
		same( 'unknown', ( new Consent( array( 'granted' ) ) )->status );
		same( null, ( new Consent( 'unknown', '2026-01-02T03:04:05Z' ) )->at );
		same( '2026-01-02T01:04:05+00:00', ( new Consent( 'granted', '2026-01-02T03:04:05+02:00', 'a_b' ) )->at );
		same( null, ( new Consent( 'granted', 'yesterday' ) )->at );
		same( null, ( new Consent( 'granted', null, '<b>' ) )->source );
		check( strtotime( ( new Consent( 'granted', '2999-01-01T00:00:00Z' ) )->at ) <= time(), 'a time in the future' );
	},
	'a visitor with consent is read from the cookie' => static function () use ( $granted ) {
		Fake::cookie( $granted );
		$visitor = new Visitor( 'by_region' );
		same( array( 'id' => $granted['visitor'], 'ip' => '203.0.113.7', 'user_agent' => 'Mozilla/5.0', 'country' => null, 'ttclid' => 'E.C.P.x-1_2', 'ttp' => $granted['ttp'], 'customer_id' => 0, 'staff' => false ), $visitor->to_array() );
		same( 'https://shop.example/p/?ttclid=E.C', $visitor->get( 'page' ) );
		same( 'https://www.tiktok.com/a', $visitor->get( 'ref' ) );
	},
	'a visitor who refused, or has not chosen where it is required, leaves no trace' => static function () use ( $granted ) {
		foreach ( array( 'denied', 'unknown' ) as $status ) {
			Fake::cookie( array( 'consent' => $status ) + $granted );
			Fake::$user = 7;
			$visitor    = new Visitor( 'required' );
			same( array( 'id' => null, 'ip' => null, 'user_agent' => null, 'country' => null, 'ttclid' => null, 'ttp' => null, 'customer_id' => 0, 'staff' => false ), $visitor->to_array(), $status );
			same( null, $visitor->get( 'page' ) );
		}
	},
	'elsewhere an unknown choice is no refusal' => static function () use ( $granted ) {
		Fake::cookie( array( 'consent' => 'unknown' ) + $granted );
		Fake::$now_country = 'US';
		same( $granted['visitor'], ( new Visitor( 'by_region' ) )->get( 'visitor' ) );
	},
	'Global Privacy Control comes from the request or the cookie' => static function () use ( $granted ) {
		Fake::cookie( $granted );
		$_SERVER['HTTP_SEC_GPC'] = '1';
		$visitor                 = new Visitor( 'required' );
		same( true, $visitor->consent->gpc );
		same( false, $visitor->allows() );
	},
	'odd cookies are read as none' => static function () {
		foreach ( array( '', '{', '[]', '5', '"x"', 'null', str_repeat( '[', 3000 ), str_repeat( 'a', 5000 ), "\xff\xfe", '{"visitor":{"a":1},"consent":["granted"],"ttclid":7,"page":[],"at":{}}' ) as $text ) {
			$_COOKIE['pixel_connector'] = addslashes( $text );
			$visitor                    = new Visitor( 'opt_out' );
			same( 'unknown', $visitor->consent->status );
			same( null, $visitor->get( 'visitor' ) );
		}
		$_COOKIE['pixel_connector'] = array( 'a' => 'b' );
		same( 'unknown', ( new Visitor( 'opt_out' ) )->consent->status );
	},
	'the forwarded address counts only behind a private proxy' => static function () {
		$_SERVER['HTTP_X_REAL_IP'] = '198.51.100.9';
		same( '203.0.113.7', Visitor::ip() );
		$_SERVER['REMOTE_ADDR'] = '10.0.0.5';
		same( '198.51.100.9', Visitor::ip() );
		$_SERVER['HTTP_X_REAL_IP'] = 'not an address';
		same( null, Visitor::ip() );
	},
	'origins' => static function () {
		$ours = array( 'HTTP_HOST' => 'www.shop.example' );
		same( true, Origin::is_ours( $ours + array( 'HTTP_ORIGIN' => 'https://shop.example' ) ) );
		same( true, Origin::is_ours( $ours + array( 'HTTP_ORIGIN' => 'https://www.shop.example' ) ) );
		same( true, Origin::is_ours( $ours + array( 'HTTP_REFERER' => 'https://shop.example/x' ) ) );
		foreach ( array( array(), array( 'HTTP_ORIGIN' => 'null' ), array( 'HTTP_ORIGIN' => 'https://evil.example' ), array( 'HTTP_ORIGIN' => 'https://evil.example', 'HTTP_REFERER' => 'https://shop.example/' ), array( 'HTTP_ORIGIN' => 'https://shop.example.evil.example' ), array( 'HTTP_ORIGIN' => 'https://shop.example:8443' ) ) as $foreign ) {
			same( false, Origin::is_ours( $ours + $foreign ), json_encode( $foreign ) );
		}
		same( true, Origin::may_read( $ours ) );
		same( false, Origin::may_read( $ours + array( 'HTTP_SEC_FETCH_SITE' => 'cross-site' ) ) );
		same( false, Origin::may_read( $ours + array( 'HTTP_REFERER' => 'https://evil.example/' ) ) );
	},
	'without the WP Consent API the script\'s cookie speaks' => static function () use ( $granted ) {
		check( ! function_exists( 'wp_has_consent' ), 'this test must run before the function is there' );
		same( 'unknown', ConsentReader::from_consent_api() );
		same( 'granted', ConsentReader::read( $granted )->status );
	},
	'with the WP Consent API a refusal by either wins' => static function () use ( $granted ) {
		require_once __DIR__ . '/stub-consent-api.php';
		same( 'unknown', ConsentReader::from_consent_api() );
		same( 'granted', ConsentReader::read( $granted )->status );
		$_COOKIE['wp_consent_marketing'] = 'deny';
		same( 'denied', ConsentReader::read( $granted )->status );
		$_COOKIE['wp_consent_marketing'] = 'allow';
		same( 'denied', ConsentReader::read( array( 'consent' => 'denied' ) )->status );
		same( array( 'granted', 'wp_consent_api' ), array( ConsentReader::read( array() )->status, ConsentReader::read( array() )->source ) );
	},
);
