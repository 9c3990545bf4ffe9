<?php
/**
 * Signed calls to the connector.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * For wp-admin and the privacy tools only; never in a shopper's request.
 */
final class ConnectorClient {

	private const SECONDS = 5;

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
	 * POSTs a body and returns the decoded answer, whose words are in the language of the person in wp-admin.
	 *
	 * @param string $path Path at the connector.
	 * @param array  $body Fields besides the installation's id.
	 * @return array|\WP_Error
	 */
	public function post( string $path, array $body ) {
		if ( ! $this->connection->exists() || '' === $this->connection->link_secret() ) {
			return new \WP_Error( 'pixel_connector_not_connected', __( 'This store is not connected yet.', 'pixel-connector' ) );
		}
		$known    = array(
			'installation_id' => $this->connection->installation_id(),
			'locale'          => get_user_locale(),
		);
		$text     = (string) wp_json_encode( $known + $body );
		$response = wp_remote_post(
			$this->connection->connector_url() . $path,
			array(
				'timeout'     => self::SECONDS,
				'redirection' => 0,
				'headers'     => self::headers( $this->connection->link_secret(), $text, time() ),
				'body'        => $text,
			)
		);
		return is_wp_error( $response ) ? $this->unreachable() : $this->read( $response );
	}

	/**
	 * Headers that sign a body: HMAC-SHA256 over the timestamp's digits and the body.
	 *
	 * @param string $secret Link secret.
	 * @param string $text   Body.
	 * @param int    $now    Unix seconds.
	 */
	public static function headers( string $secret, string $text, int $now ): array {
		return array(
			'Content-Type'                => 'application/json',
			'X-Pixel-Connector-Timestamp' => (string) $now,
			'X-Pixel-Connector-Signature' => hash_hmac( 'sha256', $now . $text, $secret ),
		);
	}

	/**
	 * The decoded answer, or an error in plain words.
	 *
	 * @param array $response As of wp_remote_post().
	 * @return array|\WP_Error
	 */
	private function read( array $response ) {
		$code   = (int) wp_remote_retrieve_response_code( $response );
		$answer = json_decode( (string) wp_remote_retrieve_body( $response ), true );
		$answer = is_array( $answer ) ? $answer : array();
		if ( 200 === $code || 201 === $code ) {
			return $answer;
		}
		$said = $answer['message'] ?? '';
		/* translators: %d: HTTP status. */
		$text = is_string( $said ) && '' !== $said ? sanitize_text_field( mb_substr( $said, 0, 300 ) ) : sprintf( __( 'The connector answered with status %d.', 'pixel-connector' ), $code );
		return new \WP_Error( 'pixel_connector_refused', $text, array( 'status' => $code ) );
	}

	/**
	 * No answer at all.
	 */
	private function unreachable(): \WP_Error {
		return new \WP_Error( 'pixel_connector_unreachable', __( 'The connector did not answer. Try again in a minute.', 'pixel-connector' ) );
	}
}
