<?php
/**
 * The public routes of the storefront.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * `pixel-connector/v1/beacon` and `/context`: open to every visitor, so limited, checked and quiet.
 */
final class BeaconRoutes {

	public const SPACE = 'pixel-connector/v1';

	/**
	 * The connection.
	 *
	 * @var Connection
	 */
	private $connection;

	/**
	 * Takes the connection.
	 *
	 * @param Connection $connection The connection.
	 */
	public function __construct( Connection $connection ) {
		$this->connection = $connection;
	}

	/**
	 * Adds the routes.
	 */
	public function register(): void {
		register_rest_route(
			self::SPACE,
			'/beacon',
			array(
				'methods'             => 'POST',
				'callback'            => array( $this, 'beacon' ),
				'permission_callback' => '__return_true',
			)
		);
		register_rest_route(
			self::SPACE,
			'/context',
			array(
				'methods'             => 'GET',
				'callback'            => array( $this, 'context' ),
				'permission_callback' => '__return_true',
			)
		);
	}

	/**
	 * Takes a beacon. Its answer leaves before anything is delivered.
	 *
	 * @param \WP_REST_Request $request Request.
	 * @return \WP_REST_Response|\WP_Error
	 */
	public function beacon( $request ) {
		try {
			return $this->take( (string) $request->get_body() );
		} catch ( \Throwable $failure ) {
			Guard::note( $failure );
			return new \WP_REST_Response( null, 204 );
		}
	}

	/**
	 * Tells the script where its visitor is.
	 */
	public function context() {
		try {
			if ( ! Origin::may_read( $_SERVER ) ) {
				return $this->refuse( 403, 'foreign_origin', 'This address answers pages of this shop only.' );
			}
			if ( ! $this->connection->exists() || ! BeaconLog::admit( Visitor::ip(), time() ) ) {
				return $this->connection->exists() ? $this->refuse( 429, 'too_often', 'Too many requests.' ) : $this->refuse( 503, 'not_connected', 'Not connected.' );
			}
			$response = new \WP_REST_Response( $this->describe_visitor(), 200 );
			$response->header( 'Cache-Control', 'no-store' );
			return $response;
		} catch ( \Throwable $failure ) {
			Guard::note( $failure );
			return $this->refuse( 500, 'failed', 'The visitor could not be described.' );
		}
	}

	/**
	 * Checks a beacon and starts what follows from it.
	 *
	 * @param string $text Raw body.
	 * @return \WP_REST_Response|\WP_Error
	 */
	private function take( string $text ) {
		if ( strlen( $text ) > BeaconInput::LONGEST ) {
			return $this->refuse( 413, 'too_large', 'At most 4096 bytes.' );
		}
		if ( ! Origin::is_ours( $_SERVER ) ) {
			return $this->refuse( 403, 'foreign_origin', 'This address takes reports from pages of this shop only.' );
		}
		if ( ! $this->connection->exists() ) {
			return $this->refuse( 503, 'not_connected', 'Not connected.' );
		}
		if ( ! BeaconLog::admit( Visitor::ip(), time() ) ) {
			return $this->refuse( 429, 'too_often', 'Too many reports.' );
		}
		$input = new BeaconInput( $text );
		if ( '' !== $input->error ) {
			return $this->refuse( 400, 'invalid', $input->error );
		}
		$order = null === $input->fields['order'] ? null : OrderAccess::by_key( $input->fields['order']['id'], $input->fields['order']['key'] );
		if ( null !== $input->fields['order'] && null === $order ) {
			return $this->refuse( 403, 'wrong_order_key', 'No order with this key.' );
		}
		( new Beacon( $this->connection, $input, $order ) )->accept();
		return new \WP_REST_Response( null, 204 );
	}

	/**
	 * What the script may know of its visitor.
	 */
	private function describe_visitor(): array {
		$visitor  = new Visitor( $this->connection->setting( 'consent_policy' ) );
		$customer = Visitor::customer_id();
		$recorded = ConsentReader::from_consent_api();
		return array(
			'country'          => $visitor->country,
			'consent_required' => $visitor->consent_required,
			'gpc'              => ConsentReader::privacy_control(),
			'customer'         => $customer > 0 && $visitor->allows() ? Ids::customer( $this->connection->public_id(), $customer ) : null,
			'staff'            => Visitor::is_staff(),
			'consent'          => array(
				'status' => $recorded,
				'source' => function_exists( 'wp_has_consent' ) ? 'wp_consent_api' : null,
			),
		);
	}

	/**
	 * A refusal.
	 *
	 * @param int    $status  HTTP status.
	 * @param string $code    Error code.
	 * @param string $message One sentence.
	 */
	private function refuse( int $status, string $code, string $message ): \WP_Error {
		return new \WP_Error( 'pixel_connector_' . $code, $message, array( 'status' => $status ) );
	}
}
