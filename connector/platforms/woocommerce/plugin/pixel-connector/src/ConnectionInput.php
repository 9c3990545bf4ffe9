<?php
/**
 * Checks what the connector writes into PUT /connection.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * A validated connection, or the first thing that is wrong with it.
 */
final class ConnectionInput {

	/**
	 * Installation id, public id, connector url, settings.
	 *
	 * @var array
	 */
	public $connection = array();

	/**
	 * The new secret, or null when none was given.
	 *
	 * @var string|null
	 */
	public $secret;

	/**
	 * Names of settings that this version does not read.
	 *
	 * @var string[]
	 */
	public $ignored = array();

	/**
	 * What is wrong, in one sentence; an empty string when all is well.
	 *
	 * @var string
	 */
	public $error = '';

	/**
	 * Reads the body.
	 *
	 * @param array $body Decoded body.
	 */
	public function __construct( array $body ) {
		foreach ( array( 'installation_id', 'public_id' ) as $name ) {
			$this->connection[ $name ] = $this->id( $name, $body[ $name ] ?? null );
		}
		$this->connection['connector_url'] = $this->address( $body['connector_url'] ?? null );
		$this->secret                      = $this->secret_text( $body['link_secret'] ?? null );
		$this->connection['settings']      = $this->settings( $body['settings'] ?? array() );
	}

	/**
	 * Notes the first error.
	 *
	 * @param string $message What is wrong.
	 * @return null
	 */
	private function fail( string $message ) {
		$this->error = '' === $this->error ? $message : $this->error;
		return null;
	}

	/**
	 * An id: 1 to 128 of letters, digits, point, underscore, hyphen.
	 *
	 * @param string $name  Field.
	 * @param mixed  $value Value.
	 */
	private function id( string $name, $value ): ?string {
		/* translators: %s: name of a field. */
		return Ids::read( $value ) ?? $this->fail( sprintf( __( '%s must be 1 to 128 letters, digits, points, underscores or hyphens.', 'pixel-connector' ), $name ) );
	}

	/**
	 * The connector's address: https, or http on this very machine.
	 *
	 * @param mixed $value Value.
	 */
	private function address( $value ): ?string {
		$parts = is_string( $value ) && strlen( $value ) <= 500 ? wp_parse_url( $value ) : false;
		if ( ! is_array( $parts ) || empty( $parts['host'] ) || isset( $parts['user'] ) || isset( $parts['query'] ) || isset( $parts['fragment'] ) ) {
			return $this->fail( __( 'connector_url must be a web address without user, query or fragment.', 'pixel-connector' ) );
		}
		if ( ! SecureAddress::is_acceptable( $parts ) ) {
			return $this->fail( __( 'connector_url must begin with https://.', 'pixel-connector' ) );
		}
		return untrailingslashit( esc_url_raw( $value, array( 'http', 'https' ) ) );
	}

	/**
	 * The secret: 32 to 200 printable characters, or null.
	 *
	 * @param mixed $value Value.
	 */
	private function secret_text( $value ): ?string {
		if ( null === $value ) {
			return null;
		}
		$fits = is_string( $value ) && 1 === preg_match( '/\A[\x21-\x7e]{32,200}\z/', $value );
		return $fits ? $value : $this->fail( __( 'link_secret must be 32 to 200 printable ASCII characters.', 'pixel-connector' ) );
	}

	/**
	 * The settings that this version reads.
	 *
	 * @param mixed $given Value of the field "settings".
	 */
	private function settings( $given ): array {
		if ( ! is_array( $given ) ) {
			$this->fail( __( 'settings must be an object.', 'pixel-connector' ) );
			return array();
		}
		$checks = self::checks();
		$kept   = array();
		foreach ( $given as $name => $value ) {
			if ( ! isset( $checks[ $name ] ) ) {
				$this->ignored[] = substr( sanitize_text_field( (string) $name ), 0, 60 );
			} elseif ( null !== $value && ! $checks[ $name ]( $value ) ) {
				/* translators: %s: name of a setting. */
				$this->fail( sprintf( __( 'The setting %s has a value that is not allowed.', 'pixel-connector' ), $name ) );
			} elseif ( null !== $value ) {
				$kept[ $name ] = $value;
			}
		}
		return $kept;
	}

	/**
	 * What each setting may be.
	 *
	 * @return callable[]
	 */
	private static function checks(): array {
		$one_of = static function ( string ...$allowed ) {
			return static function ( $value ) use ( $allowed ) {
				return in_array( $value, $allowed, true );
			};
		};
		$words  = static function ( $value ) {
			return is_array( $value ) && count( $value ) <= 50 && array() === array_filter(
				$value,
				static function ( $word ) {
					return ! is_string( $word ) || 1 !== preg_match( '/\A[A-Za-z0-9_-]{1,50}\z/', $word );
				}
			);
		};
		return array(
			'purchase_event'  => $one_of( 'CompletePayment', 'Purchase' ),
			'consent_policy'  => $one_of( 'required', 'opt_out', 'by_region' ),
			'value_basis'     => $one_of( 'total', 'without_tax', 'without_tax_and_shipping' ),
			'content_id'      => $one_of( 'sku', 'id' ),
			'views_direct'    => 'is_bool',
			'paid_statuses'   => $words,
			'disabled_events' => $words,
			'pixel_code'      => static function ( $value ) {
				return is_string( $value ) && 1 === preg_match( '/\A[A-Za-z0-9]{0,40}\z/', $value );
			},
		);
	}
}
