<?php
/**
 * The connection to the connector, as it is kept in this store.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Installation id, public id, address and settings; the secret apart from them, so that no page loads it.
 */
final class Connection {

	public const OPTION        = 'pixel_connector_connection';
	public const SECRET_OPTION = 'pixel_connector_link_secret';

	private const DEFAULTS = array(
		'purchase_event'  => 'CompletePayment',
		'pixel_code'      => '',
		'views_direct'    => false,
		'consent_policy'  => 'by_region',
		'paid_statuses'   => array( 'processing', 'completed' ),
		'value_basis'     => 'total',
		'content_id'      => 'sku',
		'disabled_events' => array(),
	);

	/**
	 * The stored connection; an empty array while there is none.
	 *
	 * @var array
	 */
	private $stored;

	/**
	 * Reads the stored connection.
	 */
	public function __construct() {
		$stored       = get_option( self::OPTION, array() );
		$this->stored = is_array( $stored ) ? $stored : array();
	}

	/**
	 * Whether the connector has introduced itself.
	 */
	public function exists(): bool {
		return '' !== $this->public_id() && '' !== $this->connector_url();
	}

	/**
	 * The installation's id in webhook addresses.
	 */
	public function installation_id(): string {
		return (string) ( $this->stored['installation_id'] ?? '' );
	}

	/**
	 * The installation's public id, in script addresses and event ids.
	 */
	public function public_id(): string {
		return (string) ( $this->stored['public_id'] ?? '' );
	}

	/**
	 * The connector's address without a slash at its end.
	 */
	public function connector_url(): string {
		return (string) ( $this->stored['connector_url'] ?? '' );
	}

	/**
	 * A setting, or its default.
	 *
	 * @param string $name Name of the setting.
	 * @return mixed
	 */
	public function setting( string $name ) {
		$settings = $this->stored['settings'] ?? array();
		return is_array( $settings ) && isset( $settings[ $name ] ) ? $settings[ $name ] : ( self::DEFAULTS[ $name ] ?? null );
	}

	/**
	 * The statuses that mean paid, as WooCommerce's orders name them.
	 *
	 * @return string[]
	 */
	public function paid_statuses(): array {
		return array_map(
			static function ( $status ) {
				return preg_replace( '/^wc-/', '', (string) $status );
			},
			(array) $this->setting( 'paid_statuses' )
		);
	}

	/**
	 * All settings with their defaults.
	 */
	public function settings(): array {
		$values = array();
		foreach ( array_keys( self::DEFAULTS ) as $name ) {
			$values[ $name ] = $this->setting( $name );
		}
		return $values;
	}

	/**
	 * The secret that signs our calls to the connector.
	 */
	public function link_secret(): string {
		return (string) get_option( self::SECRET_OPTION, '' );
	}

	/**
	 * What may be shown: everything but the secret.
	 */
	public function to_array(): array {
		return array(
			'connected'       => $this->exists(),
			'installation_id' => $this->installation_id(),
			'public_id'       => $this->public_id(),
			'connector_url'   => $this->connector_url(),
			'settings'        => $this->settings(),
		);
	}

	/**
	 * Stores a validated connection.
	 *
	 * @param array       $connection Installation id, public id, connector url, settings.
	 * @param string|null $secret     New secret, or null to keep the old one.
	 */
	public function store( array $connection, ?string $secret ): void {
		update_option( self::OPTION, $connection, true );
		if ( null !== $secret ) {
			update_option( self::SECRET_OPTION, $secret, false );
		}
		$this->stored = $connection;
	}

	/**
	 * Forgets connection and secret.
	 */
	public function forget(): void {
		delete_option( self::OPTION );
		delete_option( self::SECRET_OPTION );
		$this->stored = array();
	}
}
