<?php
/**
 * The REST API for the connector.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * `wc-pixel-connector/v1`. WooCommerce authenticates a namespace that starts with "wc-" by the store's REST keys.
 */
final class RestApi {

	public const SPACE = 'wc-pixel-connector/v1';

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
		$this->route( '/script-tags', 'GET', 'list_tags' );
		$this->route( '/script-tags', 'POST', 'add_tag' );
		$this->route( '/script-tags/(?P<id>\d+)', 'DELETE', 'remove_tag' );
		$this->route( '/connection', 'PUT', 'connect' );
		$this->route( '/connection', 'DELETE', 'disconnect' );
		$this->route( '/status', 'GET', 'status' );
	}

	/**
	 * One route, for those who may manage the shop.
	 *
	 * @param string $path   Path.
	 * @param string $method HTTP method.
	 * @param string $name   Our method.
	 */
	private function route( string $path, string $method, string $name ): void {
		register_rest_route(
			self::SPACE,
			$path,
			array(
				'methods'             => $method,
				'callback'            => array( $this, $name ),
				'permission_callback' => array( $this, 'may_manage' ),
			)
		);
	}

	/**
	 * Who may.
	 *
	 * @return true|\WP_Error
	 */
	public function may_manage() {
		if ( current_user_can( 'manage_woocommerce' ) ) {
			return true;
		}
		$message = __( 'This needs REST keys of a user who may manage the shop.', 'pixel-connector' );
		return new \WP_Error( 'pixel_connector_forbidden', $message, array( 'status' => rest_authorization_required_code() ) );
	}

	/**
	 * All script tags.
	 */
	public function list_tags(): \WP_REST_Response {
		return new \WP_REST_Response( ( new ScriptTags() )->all(), 200 );
	}

	/**
	 * Adds a script tag; the same address twice is one tag.
	 *
	 * @param \WP_REST_Request $request Request.
	 * @return \WP_REST_Response|\WP_Error
	 */
	public function add_tag( $request ) {
		$src   = $request->get_param( 'src' );
		$event = $request->get_param( 'event' ) ?? 'onload';
		$parts = is_string( $src ) && strlen( $src ) <= 1000 ? wp_parse_url( $src ) : false;
		if ( ! is_array( $parts ) || esc_url_raw( $src, array( 'http', 'https' ) ) !== $src || isset( $parts['fragment'] ) || ! SecureAddress::is_acceptable( $parts ) ) {
			return $this->invalid( 'src', __( 'src must be a web address that begins with https://.', 'pixel-connector' ) );
		}
		if ( 'onload' !== $event ) {
			return $this->invalid( 'event', __( 'event must be "onload".', 'pixel-connector' ) );
		}
		$tags  = new ScriptTags();
		$known = $tags->find( $src );
		if ( null !== $known ) {
			return new \WP_REST_Response( $known, 200 );
		}
		if ( $tags->is_full() ) {
			return $this->invalid( 'src', __( 'There are too many script tags already.', 'pixel-connector' ) );
		}
		return new \WP_REST_Response( $tags->add( $src ), 201 );
	}

	/**
	 * Removes a script tag.
	 *
	 * @param \WP_REST_Request $request Request.
	 * @return \WP_REST_Response|\WP_Error
	 */
	public function remove_tag( $request ) {
		$removed = ( new ScriptTags() )->remove( (int) $request['id'] );
		if ( null === $removed ) {
			return new \WP_Error( 'pixel_connector_not_found', __( 'There is no script tag with this id.', 'pixel-connector' ), array( 'status' => 404 ) );
		}
		return new \WP_REST_Response( $removed, 200 );
	}

	/**
	 * Takes the connection.
	 *
	 * @param \WP_REST_Request $request Request.
	 * @return \WP_REST_Response|\WP_Error
	 */
	public function connect( $request ) {
		$body  = $request->get_json_params();
		$input = new ConnectionInput( is_array( $body ) ? $body : array() );
		if ( '' !== $input->error ) {
			return $this->invalid( 'connection', $input->error );
		}
		$same = $this->connection->installation_id() === $input->connection['installation_id'];
		if ( null === $input->secret && ( ! $same || '' === $this->connection->link_secret() ) ) {
			return $this->invalid( 'link_secret', __( 'link_secret is needed for a new connection.', 'pixel-connector' ) );
		}
		$this->connection->store( $input->connection, $input->secret );
		delete_option( Breaker::OPTION );
		StoreKey::remember();
		return new \WP_REST_Response( $this->connection->to_array() + array( 'ignored' => $input->ignored ), 200 );
	}

	/**
	 * Forgets the connection, the scripts, what was counted and what waits for us. Asked to with `revoke_key`, the caller's
	 * own key goes last: whoever only switches or reconnects still needs it.
	 *
	 * @param \WP_REST_Request $request Request.
	 */
	public function disconnect( $request ): \WP_REST_Response {
		$this->connection->forget();
		( new ScriptTags() )->forget();
		Uninstall::remove_records();
		delete_option( StoreKey::OPTION );
		$revoked = in_array( $request->get_param( 'revoke_key' ), array( '1', 1, true ), true ) && StoreKey::revoke();
		return new \WP_REST_Response(
			array(
				'connected'   => false,
				'key_revoked' => $revoked,
			),
			200
		);
	}

	/**
	 * What the connector wants to know of this store.
	 */
	public function status(): \WP_REST_Response {
		$response = new \WP_REST_Response( ( new Status( $this->connection ) )->describe(), 200 );
		$response->header( 'Cache-Control', 'no-store' );
		return $response;
	}

	/**
	 * A value that is not allowed.
	 *
	 * @param string $field   Field.
	 * @param string $message What is wrong.
	 */
	private function invalid( string $field, string $message ): \WP_Error {
		return new \WP_Error(
			'pixel_connector_invalid',
			$message,
			array(
				'status' => 400,
				'field'  => $field,
			)
		);
	}
}
