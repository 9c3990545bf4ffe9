<?php
/**
 * Who is asking, as far as the visitor allows to know.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * The visitor of this request: cookie of the pixel script, connection, consent.
 */
final class Visitor {

	public const COOKIE = 'pixel_connector';

	/**
	 * The visitor's choice.
	 *
	 * @var Consent
	 */
	public $consent;

	/**
	 * Country by the store's geolocation, or null.
	 *
	 * @var string|null
	 */
	public $country;

	/**
	 * Whether consent is required for this visitor.
	 *
	 * @var bool
	 */
	public $consent_required;

	/**
	 * Visitor id, ttclid, ttp, page, ref: text or null each.
	 *
	 * @var array
	 */
	private $traits;

	/**
	 * Reads the request.
	 *
	 * @param string     $policy  Consent policy of the installation.
	 * @param array|null $traits  What a beacon's body says instead of the cookie.
	 * @param array|null $consent The beacon's own statement (status, at, source, gpc), or null.
	 */
	public function __construct( string $policy, ?array $traits = null, ?array $consent = null ) {
		$cookie        = self::cookie();
		$this->traits  = self::read_traits( null === $traits ? $cookie : $traits );
		$this->consent = ConsentReader::read( null === $consent ? $cookie : self::as_cookie( $consent ) );
		$this->country = Region::of_visitor();

		$this->consent_required = Region::requires_consent( $policy, $this->country );
	}

	/**
	 * Whether this visitor's data may be used and stored on the device.
	 */
	public function allows(): bool {
		return $this->consent->allows( $this->consent_required );
	}

	/**
	 * A trait: visitor, ttclid, ttp, page or ref. Null when unknown or not allowed.
	 *
	 * @param string $name Which.
	 */
	public function get( string $name ): ?string {
		return $this->allows() ? ( $this->traits[ $name ] ?? null ) : null;
	}

	/**
	 * The visitor id even where consent was refused: a withdrawal must be able to name what it withdraws.
	 */
	public function id_for_withdrawal(): ?string {
		return $this->traits['visitor'] ?? null;
	}

	/**
	 * The part "visitor" of a webhook body. Without permission only what decides on it remains.
	 */
	public function to_array(): array {
		$allowed = $this->allows();
		return array(
			'id'          => $this->get( 'visitor' ),
			'ip'          => $allowed ? self::ip() : null,
			'user_agent'  => $allowed ? self::user_agent() : null,
			'country'     => $this->country,
			'ttclid'      => $this->get( 'ttclid' ),
			'ttp'         => $this->get( 'ttp' ),
			'customer_id' => $allowed ? self::customer_id() : 0,
			'staff'       => self::is_staff(),
		);
	}

	/**
	 * The visitor's address: the connection's, or what the store's own proxy says when the connection comes from a private network.
	 */
	public static function ip(): ?string {
		$ip = isset( $_SERVER['REMOTE_ADDR'] ) ? sanitize_text_field( wp_unslash( $_SERVER['REMOTE_ADDR'] ) ) : '';
		if ( class_exists( '\WC_Geolocation' ) && ! filter_var( $ip, FILTER_VALIDATE_IP, FILTER_FLAG_NO_PRIV_RANGE | FILTER_FLAG_NO_RES_RANGE ) ) {
			$ip = \WC_Geolocation::get_ip_address();
		}
		$ip = apply_filters( 'pixel_connector_visitor_ip', $ip );
		return is_string( $ip ) && filter_var( $ip, FILTER_VALIDATE_IP ) ? $ip : null;
	}

	/**
	 * The user agent, at most 400 characters.
	 */
	public static function user_agent(): ?string {
		$agent = isset( $_SERVER['HTTP_USER_AGENT'] ) ? sanitize_text_field( wp_unslash( $_SERVER['HTTP_USER_AGENT'] ) ) : '';
		return '' === $agent ? null : mb_substr( $agent, 0, 400 );
	}

	/**
	 * The customer's id; 0 for guests. The REST API forgets a login without a nonce, which a cached page cannot have, so the cookie is asked.
	 */
	public static function customer_id(): int {
		$id = get_current_user_id();
		return $id ? $id : (int) wp_validate_auth_cookie( '', 'logged_in' );
	}

	/**
	 * Whether the visitor works for the shop.
	 */
	public static function is_staff(): bool {
		$id = self::customer_id();
		return $id > 0 && user_can( $id, 'manage_woocommerce' );
	}

	/**
	 * Content of the pixel script's cookie; an empty array when there is none or it is not readable.
	 */
	private static function cookie(): array {
		// A JSON document: cleaned value by value where each is read.
		$text = isset( $_COOKIE[ self::COOKIE ] ) ? wp_unslash( $_COOKIE[ self::COOKIE ] ) : ''; // phpcs:ignore WordPress.Security.ValidatedSanitizedInput.InputNotSanitized
		if ( ! is_string( $text ) || '' === $text || strlen( $text ) > 4096 ) {
			return array();
		}
		$content = json_decode( $text, true, 4 );
		return is_array( $content ) ? $content : array();
	}

	/**
	 * The traits that have the right form.
	 *
	 * @param array $given Content of the cookie or of a beacon's body.
	 */
	private static function read_traits( array $given ): array {
		$token   = static function ( $value, int $longest ) {
			$fits = is_string( $value ) && 1 === preg_match( '/\A[A-Za-z0-9._~-]+\z/', $value ) && strlen( $value ) <= $longest;
			return $fits ? $value : null;
		};
		$visitor = $given['visitor'] ?? null;
		return array(
			'visitor' => is_string( $visitor ) && 1 === preg_match( '/\A[0-9a-f]{32}\z/', $visitor ) ? $visitor : null,
			'ttclid'  => $token( $given['ttclid'] ?? null, 600 ),
			'ttp'     => $token( $given['ttp'] ?? null, 100 ),
			'page'    => Address::reduce( $given['page'] ?? self::own_referer() ),
			'ref'     => Address::without_query( $given['ref'] ?? $given['referrer'] ?? null ),
		);
	}

	/**
	 * The page that made this request, when it is one of the shop's own.
	 */
	private static function own_referer(): ?string {
		$referer = wp_get_raw_referer();
		return is_string( $referer ) && Address::host( $referer ) === Address::host( home_url() ) ? $referer : null;
	}

	/**
	 * A beacon's statement in the cookie's words.
	 *
	 * @param array $consent Status, at, source, gpc.
	 */
	private static function as_cookie( array $consent ): array {
		return array(
			'consent' => $consent['status'] ?? null,
			'at'      => $consent['at'] ?? null,
			'source'  => $consent['source'] ?? null,
			'gpc'     => $consent['gpc'] ?? false,
		);
	}
}
