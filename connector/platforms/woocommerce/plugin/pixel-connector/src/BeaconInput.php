<?php
/**
 * Checks what a browser reports.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * A validated beacon, or why it is none. A purchase has no name here.
 */
final class BeaconInput {

	public const LONGEST = 4096;

	/**
	 * What each name needs besides itself.
	 */
	private const NEEDS = array(
		'ViewContent'          => array( 'event_id', 'product_id' ),
		'InitiateCheckout'     => array( 'event_id' ),
		'AddPaymentInfo'       => array( 'event_id' ),
		'Search'               => array( 'event_id', 'search' ),
		'AddToWishlist'        => array( 'event_id', 'product_id' ),
		'CompleteRegistration' => array( 'event_id' ),
		'Subscribe'            => array( 'event_id' ),
		'Lead'                 => array( 'event_id' ),
		'Contact'              => array( 'event_id' ),
		'consent_changed'      => array( 'consent' ),
		'browser_sent'         => array( 'order', 'sent' ),
	);

	/**
	 * The event's name.
	 *
	 * @var string
	 */
	public $name = '';

	/**
	 * What was understood: event_id, product_id, variation_id, search, consent, order, sent; null where absent or of the wrong form.
	 *
	 * @var array
	 */
	public $fields = array();

	/**
	 * Page, referrer, visitor, ttclid, ttp as they came; Visitor reads them.
	 *
	 * @var array
	 */
	public $traits = array();

	/**
	 * What is wrong, or an empty string.
	 *
	 * @var string
	 */
	public $error = '';

	/**
	 * Reads a body.
	 *
	 * @param string $text Raw body.
	 */
	public function __construct( string $text ) {
		$body = json_decode( $text, true, 6 );
		if ( ! is_array( $body ) ) {
			$this->error = 'The body is not a JSON object.';
			return;
		}
		$name = $body['name'] ?? null;
		if ( ! is_string( $name ) || ! isset( self::NEEDS[ $name ] ) ) {
			$this->error = 'Unknown name.';
			return;
		}
		$this->name   = $name;
		$this->traits = array_intersect_key( $body, array_flip( array( 'page', 'referrer', 'visitor', 'ttclid', 'ttp' ) ) );
		$this->fields = self::read( $body );
		foreach ( self::NEEDS[ $name ] as $needed ) {
			if ( null === $this->fields[ $needed ] ) {
				$this->error = "{$name} needs {$needed}.";
				return;
			}
		}
	}

	/**
	 * The fields that have the right form.
	 *
	 * @param array $body Decoded body.
	 */
	private static function read( array $body ): array {
		$event_id = $body['event_id'] ?? null;
		$search   = $body['search'] ?? null;
		return array(
			'event_id'     => is_string( $event_id ) && 1 === preg_match( '/\A[0-9a-f]{32}\z/', $event_id ) ? $event_id : null,
			'product_id'   => self::number( $body['product_id'] ?? null ),
			'variation_id' => self::number( $body['variation_id'] ?? null ),
			'search'       => is_string( $search ) && '' !== trim( $search ) ? mb_substr( sanitize_text_field( $search ), 0, 100 ) : null,
			'consent'      => self::consent( $body ),
			'order'        => self::order( $body['order'] ?? null ),
			'sent'         => is_bool( $body['sent'] ?? true ) ? $body['sent'] ?? true : null,
		);
	}

	/**
	 * A positive id.
	 *
	 * @param mixed $value Anything.
	 */
	private static function number( $value ): ?int {
		return is_int( $value ) && $value > 0 && $value < PHP_INT_MAX ? $value : null;
	}

	/**
	 * The visitor's statement with Global Privacy Control beside it.
	 *
	 * @param array $body Decoded body.
	 */
	private static function consent( array $body ): ?array {
		$consent = $body['consent'] ?? null;
		if ( ! is_array( $consent ) || ! in_array( $consent['status'] ?? null, array( 'granted', 'denied', 'unknown' ), true ) ) {
			return null;
		}
		$consent['gpc'] = true === ( $body['gpc'] ?? false );
		return $consent;
	}

	/**
	 * An order's id and key.
	 *
	 * @param mixed $value Anything.
	 */
	private static function order( $value ): ?array {
		$id  = is_array( $value ) ? self::number( $value['id'] ?? null ) : null;
		$key = is_array( $value ) ? ( $value['key'] ?? null ) : null;
		if ( null === $id || ! is_string( $key ) || 1 !== preg_match( '/\A[A-Za-z0-9_-]{1,100}\z/', $key ) ) {
			return null;
		}
		return array(
			'id'  => $id,
			'key' => $key,
		);
	}
}
