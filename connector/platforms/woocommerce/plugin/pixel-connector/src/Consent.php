<?php
/**
 * What the visitor has said.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * A visitor's choice: granted, denied or unknown, with its time, its source and Global Privacy Control.
 */
final class Consent {

	/**
	 * One of granted, denied, unknown.
	 *
	 * @var string
	 */
	public $status;

	/**
	 * When the choice was made, UTC ISO 8601, or null.
	 *
	 * @var string|null
	 */
	public $at;

	/**
	 * Which tool said so, or null.
	 *
	 * @var string|null
	 */
	public $source;

	/**
	 * Global Privacy Control.
	 *
	 * @var bool
	 */
	public $gpc;

	/**
	 * Takes anything and keeps what has the right form.
	 *
	 * @param mixed $status Status.
	 * @param mixed $at     Time of the choice.
	 * @param mixed $source Tool.
	 * @param mixed $gpc    Global Privacy Control.
	 */
	public function __construct( $status = 'unknown', $at = null, $source = null, $gpc = false ) {
		$this->status = in_array( $status, array( 'granted', 'denied' ), true ) ? $status : 'unknown';
		$this->at     = 'unknown' === $this->status ? null : self::read_time( $at );
		$this->source = is_string( $source ) && 1 === preg_match( '/\A[a-z0-9_]{1,40}\z/', $source ) ? $source : null;
		$this->gpc    = true === $gpc || 1 === $gpc || '1' === $gpc;
	}

	/**
	 * Whether the visitor's data may be used in a place, and things stored on the device.
	 *
	 * @param bool $required Whether consent is required there.
	 */
	public function allows( bool $required ): bool {
		if ( 'denied' === $this->status || ( $required && $this->gpc ) ) {
			return false;
		}
		return 'granted' === $this->status || ! $required;
	}

	/**
	 * As part of a webhook body.
	 */
	public function to_array(): array {
		return array(
			'status' => $this->status,
			'at'     => $this->at,
			'source' => $this->source,
			'gpc'    => $this->gpc,
		);
	}

	/**
	 * A time in UTC ISO 8601, or null when it is none or lies in the future.
	 *
	 * @param mixed $value Anything.
	 */
	private static function read_time( $value ): ?string {
		if ( ! is_string( $value ) || 1 !== preg_match( '/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)\z/', $value ) ) {
			return null;
		}
		$moment = strtotime( $value );
		return false !== $moment && $moment > 0 ? gmdate( 'Y-m-d\TH:i:s+00:00', min( $moment, time() ) ) : null;
	}
}
