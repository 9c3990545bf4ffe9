<?php
/**
 * The text that a companion topic's webhook carries.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Builds bodies. Each is made once, as JSON text with an own event id: WooCommerce's queue merges deliveries whose
 * argument is equal, and refuses arguments above 8,000 characters once they are encoded again.
 */
final class EventBody {

	private const LONGEST = 7000;

	/**
	 * The body as JSON text.
	 *
	 * @param Visitor     $visitor  Who.
	 * @param array       $own      Parts of this topic: item, items, name and so on.
	 * @param string|null $event_id Id minted by the first witness; null mints one.
	 */
	public static function text( Visitor $visitor, array $own, ?string $event_id = null ): string {
		$body = array(
			'event_id' => $event_id ?? Ids::mint(),
			'time'     => gmdate( 'Y-m-d\TH:i:s+00:00' ),
			'visitor'  => $visitor->to_array(),
			'page'     => array(
				'url'      => $visitor->get( 'page' ),
				'referrer' => $visitor->get( 'ref' ),
			),
			'consent'  => $visitor->consent->to_array(),
		);
		return self::fit( array_merge( $body, $own ) );
	}

	/**
	 * JSON text that the queue takes; what is least needed goes first.
	 *
	 * @param array $body The body.
	 */
	private static function fit( array $body ): string {
		$shorter = array(
			static function ( array $body ) {
				$body['page']['referrer'] = null;
				return $body;
			},
			static function ( array $body ) {
				return isset( $body['items'] ) ? array( 'items' => array_slice( $body['items'], 0, 3 ) ) + $body : $body;
			},
			static function ( array $body ) {
				$body['visitor']['user_agent'] = null;
				$body['page']['url']           = null;
				return $body;
			},
		);
		$text    = self::encode( $body );
		foreach ( $shorter as $change ) {
			if ( strlen( (string) wp_json_encode( $text ) ) <= self::LONGEST ) {
				break;
			}
			$body = $change( $body );
			$text = self::encode( $body );
		}
		return $text;
	}

	/**
	 * Plain JSON.
	 *
	 * @param array $body The body.
	 */
	private static function encode( array $body ): string {
		return (string) wp_json_encode( $body, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE );
	}
}
